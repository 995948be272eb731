import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link } from "wouter";
import { adminLine } from "../api/admin-commands";
import { api, must } from "../api/client";
import type { Lock } from "../api/types";
import { useMay } from "../app/session-context";
import { useFeedRefresh } from "../feed/FeedProvider";
import { lockName } from "../tasks/Wait";
import { Button } from "../ui/Button";
import { CopyCommand } from "../ui/CopyCommand";
import { Empty, ErrorBox } from "../ui/ErrorBox";
import { FilterBar, pageOf, TextFilter, useAddress } from "../ui/Filters";
import { type Column, Grid } from "../ui/Grid";
import { PageHead } from "../ui/PageHead";
import { Pager } from "../ui/Pager";
import { Status, StatusLabel } from "../ui/Status";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import { ReleaseDialog } from "./ReleaseDialog";

const PAGE_SIZE = 50;

/** What tasks hold and wait for, with the ways to them; an administrator can take locks from a failed task. */
export function LocksPage() {
  const [{ type, id, page: pageText }, setAddress] = useAddress(["type", "id", "page"]);
  const page = pageOf(pageText);
  const [asked, setAsked] = useState<string>();
  useFeedRefresh(["locks"], 2000);
  const query = useQuery({
    queryKey: ["locks", type, id, page],
    placeholderData: keepPreviousData,
    queryFn: () =>
      must(
        api.GET("/v1/resources/locks", {
          params: {
            query: {
              pageNumber: page,
              pageSize: PAGE_SIZE,
              ...(type ? { resourceType: type } : {}),
              ...(id ? { resourceId: id } : {}),
            },
          },
        }),
      ),
  });
  const admin = useMay("ADMIN");
  const columns = useMemo(() => lockColumns(admin, setAsked), [admin]);
  const rows = query.data?.elements ?? [];
  const total = query.data?.pageMetadata.totalElements ?? 0;
  return (
    <>
      <PageHead
        title="Locks"
        facts={query.data && <span>{total.toLocaleString("en")} held or waited for</span>}
        actions={<CopyCommand text={adminLine.locks(type, id)} />}
      />
      <FilterBar>
        <TextFilter
          label="Type of resource"
          hint="HOST"
          value={type}
          onChange={(text) => setAddress({ type: text })}
        />
        <TextFilter label="Resource" hint="Its ID" value={id} onChange={(text) => setAddress({ id: text })} />
      </FilterBar>
      {query.isError && <ErrorBox error={query.error} />}
      {rows.length > 0 && (
        <Grid
          keys
          label="Locks"
          columns={columns}
          rows={rows}
          first={(page - 1) * PAGE_SIZE + 1}
          total={total}
          keyOf={keyOf}
        />
      )}
      {query.data && rows.length === 0 && <NoLocks filtered={!!type || !!id} page={page} />}
      {(total > PAGE_SIZE || page > 1) && (
        <Pager
          page={page}
          pageSize={PAGE_SIZE}
          total={total}
          onPage={(to) => setAddress({ page: String(to) })}
        />
      )}
      {asked && <ReleaseDialog id={asked} onClose={() => setAsked(undefined)} />}
    </>
  );
}

const keyOf = (lock: Lock) =>
  JSON.stringify([lock.resourceType, lock.resourceId, lock.workflow, lock.key, lock.taskId, lock.mode]);

function NoLocks({ filtered, page }: { filtered: boolean; page: number }) {
  if (page > 1) return <Empty title="This page is behind the last lock." />;
  if (filtered) {
    return (
      <Empty title="Nobody holds it or waits for it.">
        <p>Types and IDs are compared as a whole; case does not matter.</p>
      </Empty>
    );
  }
  return (
    <Empty title="No task holds a lock.">
      <p>Locks appear while tasks run whose workflow locks resources or limits its concurrency.</p>
    </Empty>
  );
}

function lockColumns(admin: boolean, release: (id: string) => void): Column<Lock>[] {
  return [
    {
      id: "lock",
      label: "Lock",
      width: "28%",
      narrow: "main",
      cell: (lock) => <bdi>{plain(lockName(lock))}</bdi>,
    },
    {
      id: "state",
      label: "State",
      width: "100px",
      narrow: "side",
      value: (lock) => lock.state,
      cell: (lock) => (
        <StatusLabel
          look={
            lock.state === "HELD"
              ? { word: "Held", tone: "run", icon: "half" }
              : { word: "Waiting", tone: "grey", icon: "hourglass" }
          }
        />
      ),
    },
    {
      id: "mode",
      label: "Mode",
      width: "100px",
      narrow: "side",
      cell: (lock) => (lock.mode === "SLOT" ? `1 of ${lock.limit ?? "?"} places` : lock.mode.toLowerCase()),
    },
    {
      id: "task",
      label: "Task",
      cell: (lock) => (
        <Link href={`/tasks/${lock.taskId}`}>
          <bdi>{plain(lock.taskName)}</bdi>
        </Link>
      ),
    },
    {
      id: "status",
      label: "Status of the task",
      width: "170px",
      narrow: "side",
      value: (lock) => `${lock.taskStatus} ${lock.awaitsDecision}`,
      cell: (lock) =>
        lock.awaitsDecision ? (
          <StatusLabel look={{ word: "Awaits a decision", tone: "warn", icon: "hand" }} />
        ) : (
          lock.taskStatus && <Status status={lock.taskStatus} />
        ),
    },
    {
      id: "since",
      label: "Since",
      width: "120px",
      align: "end",
      narrow: "side",
      cell: (lock) => <Time at={lock.since} />,
    },
    ...(admin ? [releaseColumn(release)] : []),
  ];
}

const releaseColumn = (release: (id: string) => void): Column<Lock> => ({
  id: "release",
  label: "Actions",
  width: "110px",
  align: "end",
  cell: (lock) =>
    lock.state === "HELD" && (
      <Button
        look="quiet"
        aria-label={`Take the locks of ${plain(lock.taskName)}`}
        refused={
          lock.taskStatus === "FAILED" ? undefined : "Only a failed task can lose its locks: cancel it first"
        }
        onPress={() => release(lock.taskId)}
      >
        Release…
      </Button>
    ),
});
