import type { Attempt } from "../api/types";
import { Empty, ErrorBox } from "../ui/ErrorBox";
import { type Column, Grid } from "../ui/Grid";
import { Status } from "../ui/Status";
import { Span, Time } from "../ui/Time";
import { plain } from "../ui/text";

/** More attempts than this are not shown at once. */
const MOST = 500;

const COLUMNS: Column<Attempt>[] = [
  {
    id: "step",
    label: "Step",
    narrow: "main",
    cell: (attempt) => <bdi title={plain(attempt.subTask)}>{plain(attempt.subTask)}</bdi>,
  },
  {
    id: "status",
    label: "Status",
    width: "130px",
    narrow: "side",
    cell: (each) => <Status status={each.status} />,
  },
  { id: "run", label: "Run", width: "60px", align: "end", narrow: "none", cell: (each) => each.generation },
  {
    id: "number",
    label: "Attempt",
    width: "80px",
    align: "end",
    narrow: "none",
    cell: (each) => each.number,
  },
  {
    id: "started",
    label: "Started",
    width: "130px",
    align: "end",
    narrow: "side",
    cell: (each) => <Time at={each.creationTimestamp} />,
  },
  {
    id: "took",
    label: "Took",
    width: "100px",
    align: "end",
    narrow: "side",
    cell: (each) => <Span from={each.creationTimestamp} to={each.completionTimestamp} />,
  },
  {
    id: "worker",
    label: "Worker",
    width: "16%",
    narrow: "none",
    cell: (each) => each.worker && <bdi>{plain(each.worker)}</bdi>,
  },
  {
    id: "error",
    label: "Error",
    width: "28%",
    cell: (each) => each.error && <bdi title={plain(each.error.message)}>{plain(each.error.message)}</bdi>,
  },
];

/** Every execution of the task's steps, the newest last; of very many, the failed ones and the newest. */
export function AttemptsTab({
  attempts,
}: {
  attempts: { data?: Attempt[] | undefined; error: unknown; isError: boolean };
}) {
  if (attempts.isError) return <ErrorBox error={attempts.error} />;
  const all = attempts.data ?? [];
  if (attempts.data && all.length === 0) return <Empty title="No step has started yet." />;
  const odd = all.filter((each) => !["SUCCESSFUL", "RUNNING"].includes(each.status));
  const rows = all.length <= MOST ? all : [...new Set([...odd.slice(0, MOST / 2), ...all.slice(-MOST / 2)])];
  return (
    <>
      {rows.length < all.length && (
        <p>
          {rows.length} of {all.length.toLocaleString("en")} attempts: those that did not succeed, and the
          newest. The command line <code>longhaul task attempts</code> has all.
        </p>
      )}
      <Grid
        label="Attempts"
        columns={COLUMNS}
        rows={rows}
        keyOf={(each) => `${each.subTask} ${each.generation} ${each.number}`}
        total={all.length}
      />
    </>
  );
}
