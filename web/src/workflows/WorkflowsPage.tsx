import { adminLine } from "../api/admin-commands";
import type { WorkflowSummary } from "../api/types";
import { CopyCommand } from "../ui/CopyCommand";
import { Empty, ErrorBox } from "../ui/ErrorBox";
import { FilterBar, TextFilter, useAddress } from "../ui/Filters";
import { type Column, Grid } from "../ui/Grid";
import { PageHead } from "../ui/PageHead";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import { useWorkflows } from "./useWorkflows";

const COLUMNS: Column<WorkflowSummary>[] = [
  { id: "name", label: "Name", width: "22%", narrow: "main", cell: (each) => <bdi>{plain(each.name)}</bdi> },
  {
    id: "title",
    label: "Title of its tasks",
    cell: (each) => <bdi title={each.description && plain(each.description)}>{plain(each.title)}</bdi>,
  },
  { id: "type", label: "Type", width: "22%", cell: (each) => <bdi>{plain(each.type)}</bdi> },
  {
    id: "version",
    label: "Version",
    width: "90px",
    align: "end",
    narrow: "side",
    value: (each) => String(each.version),
    cell: (each) => `v${each.version}`,
  },
  {
    id: "since",
    label: "Stored",
    width: "120px",
    align: "end",
    narrow: "side",
    cell: (each) => each.creationTimestamp && <Time at={each.creationTimestamp} />,
  },
];

/** True when every word of `text` is somewhere in what the list shows of a workflow. */
function matches(workflow: WorkflowSummary, text: string): boolean {
  const all =
    `${workflow.name} ${workflow.title} ${workflow.type} ${workflow.description ?? ""}`.toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}

/** The workflows that tasks can be started of. */
export function WorkflowsPage() {
  const [{ q }, setAddress] = useAddress(["q"]);
  const query = useWorkflows();
  const all = query.data ?? [];
  const rows = all.filter((each) => matches(each, q));
  return (
    <>
      <PageHead
        title="Workflows"
        facts={query.data && <span>{all.length.toLocaleString("en")} stored</span>}
        actions={<CopyCommand text={adminLine.workflows()} />}
      />
      <FilterBar>
        <TextFilter label="Name, title or type" value={q} onChange={(text) => setAddress({ q: text })} />
      </FilterBar>
      {query.isError && <ErrorBox error={query.error} />}
      {rows.length > 0 && (
        <Grid
          keys
          label="Workflows"
          columns={COLUMNS}
          rows={rows}
          total={rows.length}
          keyOf={(each) => each.name}
          hrefOf={(each) => `/workflows/${encodeURIComponent(each.name)}`}
        />
      )}
      {query.data && rows.length === 0 && (
        <Empty title={q ? "No workflow matches this text." : "There are no workflows yet."}>
          {!q && (
            <p>
              Store one with <code>longhaul workflow apply FILE</code>.
            </p>
          )}
        </Empty>
      )}
    </>
  );
}
