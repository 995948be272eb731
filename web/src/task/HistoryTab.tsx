import type { HistoryEntry } from "../api/types";
import { Empty, ErrorBox } from "../ui/ErrorBox";
import { type Column, Grid } from "../ui/Grid";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import { useHistory } from "./useTask";

const DECISIONS: Record<string, string> = {
  cancel: "Cancelled",
  retry: "Retried",
  skip: "Skipped a step",
  resolve: "Resolved",
  release: "Took its locks",
  done: "Said that it was done",
  notDone: "Said that it was not done",
  park: "Said that it failed",
};

function what(entry: HistoryEntry): string {
  if (entry.decision) return DECISIONS[entry.decision] ?? entry.decision;
  return entry.action === "startTask" ? "Started" : entry.action;
}

const COLUMNS: Column<HistoryEntry>[] = [
  {
    id: "when",
    label: "When",
    width: "150px",
    narrow: "side",
    cell: (entry) => <Time at={entry.timestamp} />,
  },
  {
    id: "who",
    label: "Who",
    width: "180px",
    narrow: "side",
    cell: (entry) => <bdi>{plain(entry.user)}</bdi>,
  },
  { id: "what", label: "What", width: "210px", narrow: "main", cell: what },
  {
    id: "step",
    label: "Step",
    width: "24%",
    cell: (entry) =>
      entry.subTask && (
        <bdi>
          {plain(entry.subTask)}
          {(entry.subTaskCount ?? 1) > 1 && ` and others, ${entry.subTaskCount} in all`}
        </bdi>
      ),
  },
  {
    id: "reason",
    label: "Reason",
    cell: (entry) => entry.reason && <bdi title={plain(entry.reason)}>{plain(entry.reason)}</bdi>,
  },
];

/** Who did what to the task, and why. */
export function HistoryTab({ id }: { id: string }) {
  const history = useHistory(id);
  if (history.isError) return <ErrorBox error={history.error} />;
  if (!history.data) return null;
  if (history.data.length === 0) return <Empty title="Nobody has done anything to this task." />;
  return <Grid label="History" columns={COLUMNS} rows={history.data} keyOf={(entry) => String(entry.id)} />;
}
