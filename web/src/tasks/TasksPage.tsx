import { useMemo, useState } from "react";
import { useSearchParams } from "wouter";
import { commandLine, curl } from "../api/commands";
import { type Command, useOfferCommands } from "../app/commands";
import { Button } from "../ui/Button";
import { copyText } from "../ui/CopyButton";
import { Empty, ErrorBox } from "../ui/ErrorBox";
import { Grid } from "../ui/Grid";
import { useHotkeys } from "../ui/hotkeys";
import { PageHead } from "../ui/PageHead";
import { Bulk } from "./Bulk";
import { COLUMNS, chosenColumns } from "./columns";
import { FilterBar } from "./FilterBar";
import { type Filters, PAGE_SIZE, readFilters, toQuery, writeFilters } from "./filters";
import { MOST_FRESH } from "./live";
import { Pages } from "./Pages";
import styles from "./tasks.module.css";
import { useTaskList } from "./useTaskList";
import { Views } from "./Views";

/** The list of tasks: which ones? The address holds filters, order, page and columns. */
export function TasksPage() {
  const [params, setParams] = useSearchParams();
  const text = params.toString();
  const filters = useMemo(() => readFilters(new URLSearchParams(text)), [text]);
  const columns = useMemo(() => {
    const chosen = chosenColumns(params.get("cols"));
    return COLUMNS.filter((column) => chosen.includes(column.id));
  }, [params]);
  const set = (change: Partial<Filters>) =>
    setParams((before) => {
      const next = writeFilters({ ...readFilters(before), page: 1, ...change });
      const cols = before.get("cols");
      if (cols) next.set("cols", cols);
      return next;
    });
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const { query, page, total, refresh } = useTaskList(filters);
  const commands = useMemo(() => listCommands(filters), [filters]);
  useOfferCommands(commands);
  const pages = Math.max(1, Math.ceil((total ?? 0) / PAGE_SIZE));
  useHotkeys({
    n: refresh,
    "[": () => filters.page > 1 && set({ page: filters.page - 1 }),
    "]": () => filters.page < pages && set({ page: filters.page + 1 }),
  });
  const chosen = page.rows.filter((row) => selected.has(row.id));
  const pager = (
    <Pages filters={filters} total={total} shown={page.rows.length} onPage={(to) => set({ page: to })} />
  );
  return (
    <>
      <PageHead
        title="Tasks"
        facts={total !== undefined && <span>{total.toLocaleString("en")} match</span>}
        actions={
          <>
            <News fresh={page.fresh.size} gone={page.gone.size} onShow={refresh} />
            <Button look="quiet" onPress={() => void copyText(commandLine.list(filters), "the command line")}>
              Copy as CLI
            </Button>
          </>
        }
      />
      <div className={styles.bar}>
        <Views filters={filters} />
        <FilterBar filters={filters} onChange={set} />
      </div>
      {query.isError && <ErrorBox error={query.error} />}
      {pages > 1 && <div className={styles.bar}>{pager}</div>}
      {query.data && (
        <Grid
          keys
          label="Tasks"
          columns={columns}
          rows={page.rows}
          keyOf={(task) => task.id}
          hrefOf={(task) => `/tasks/${task.id}`}
          first={(filters.page - 1) * PAGE_SIZE + 1}
          total={total}
          sort={{ by: filters.orderBy, ascending: filters.ascending }}
          onSort={({ by, ascending }) => set({ orderBy: by, ascending })}
          selected={selected}
          onSelect={setSelected}
          faint={page.gone}
        />
      )}
      {query.data && page.rows.length === 0 && !query.isFetching && <NoTasks filters={filters} />}
      {pages > 1 && page.rows.length > 20 && <div className={styles.bar}>{pager}</div>}
      {chosen.length > 0 && <Bulk tasks={chosen} onClear={() => setSelected(new Set())} />}
    </>
  );
}

/** What changed since the page was read: it waits until it is asked for, so that nothing moves under the pointer. */
function News({ fresh, gone, onShow }: { fresh: number; gone: number; onShow: () => void }) {
  const parts = [
    fresh > 0 && `${fresh > MOST_FRESH ? `${MOST_FRESH}+` : fresh} new`,
    gone > 0 && `${gone} no longer ${gone === 1 ? "matches" : "match"}`,
  ].filter(Boolean);
  return (
    <div className={styles.news} aria-live="polite">
      {parts.length > 0 && <Button onPress={onShow}>{parts.join(", ")}: show</Button>}
    </div>
  );
}

function NoTasks({ filters }: { filters: Filters }) {
  const filtered =
    writeFilters({ ...filters, page: 1, orderBy: "creationTimestamp", ascending: false }).size > 0;
  if (filters.page > 1) return <Empty title="This page is behind the last task that matches." />;
  return filtered ? (
    <Empty title="No task matches these filters.">
      <p>Remove one of them, or look at all tasks.</p>
    </Empty>
  ) : (
    <Empty title="There are no tasks yet.">
      <p>
        Start one with <code>longhaul task start WORKFLOW</code>.
      </p>
    </Empty>
  );
}

function listCommands(filters: Filters): Command[] {
  return [
    {
      id: "list cli",
      label: "Copy this list as a command line",
      run: () => void copyText(commandLine.list(filters), "the command line"),
    },
    {
      id: "list curl",
      label: "Copy this list as curl",
      run: () => void copyText(curl("GET", "/v1/tasks", toQuery(filters, Date.now())), "the curl command"),
    },
  ];
}
