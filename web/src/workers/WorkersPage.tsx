import { useMemo, useState } from "react";
import { Link } from "wouter";
import { adminLine } from "../api/admin-commands";
import type { Worker } from "../api/types";
import { useOfferCommands } from "../app/commands";
import { useMay } from "../app/session-context";
import { Button } from "../ui/Button";
import { CopyCommand } from "../ui/CopyCommand";
import { Empty, ErrorBox } from "../ui/ErrorBox";
import { type Column, Grid } from "../ui/Grid";
import { PageHead } from "../ui/PageHead";
import { Section } from "../ui/Section";
import { StatusLabel } from "../ui/Status";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import { type AskedOfQueue, QueueDialog } from "./QueueDialog";
import { queueColumns } from "./queue-columns";
import { useQueues, useWorkers } from "./useWorkers";

function Work({ worker }: { worker: Worker }) {
  const first = worker.work[0];
  if (!first) return worker.running > 0 ? <span>{worker.running} attempts</span> : null;
  const rest = worker.running - 1;
  return (
    <span>
      <Link href={`/tasks/${first.taskId}`}>
        <bdi>{plain(first.taskName ?? first.taskId)}</bdi>
      </Link>
      {first.subTask && (
        <>
          {": "}
          <bdi>{plain(first.subTask)}</bdi>
        </>
      )}
      {rest > 0 && ` and ${rest.toLocaleString("en")} more`}
    </span>
  );
}

const COLUMNS: Column<Worker>[] = [
  {
    id: "worker",
    label: "Worker",
    width: "20%",
    narrow: "main",
    cell: (each) => <bdi>{plain(each.worker)}</bdi>,
  },
  {
    id: "state",
    label: "State",
    width: "100px",
    narrow: "side",
    value: (each) => String(each.alive),
    cell: (each) => (
      <StatusLabel
        look={
          each.alive
            ? { word: "Alive", tone: "good", icon: "check" }
            : { word: "Silent", tone: "warn", icon: "warning" }
        }
      />
    ),
  },
  {
    id: "host",
    label: "Host and process",
    width: "16%",
    narrow: "side",
    cell: (each) => (
      <bdi>
        {plain(each.host ?? "")}
        {each.process !== undefined && ` (${each.process})`}
      </bdi>
    ),
  },
  {
    id: "user",
    label: "Account",
    width: "110px",
    narrow: "side",
    cell: (each) => <bdi>{plain(each.user)}</bdi>,
  },
  {
    id: "queues",
    label: "Queues",
    width: "14%",
    cell: (each) => <bdi title={each.queues.join(", ")}>{plain(each.queues.join(", "))}</bdi>,
  },
  {
    id: "work",
    label: "Works on",
    value: (each) => JSON.stringify([each.running, each.work[0]]),
    cell: (each) => <Work worker={each} />,
  },
  {
    id: "seen",
    label: "Last heard of",
    width: "120px",
    align: "end",
    narrow: "side",
    cell: (each) => <Time at={each.lastSeen} />,
  },
];

/** The workers, and the queues that they serve. */
export function WorkersPage() {
  const workers = useWorkers();
  const queues = useQueues();
  const admin = useMay("ADMIN");
  const [asked, setAsked] = useState<AskedOfQueue>();
  const columns = useMemo(() => queueColumns(admin, setAsked), [admin]);
  useOfferCommands(
    useMemo(
      () =>
        admin
          ? [{ id: "limit", label: "Set limits of a queue", run: () => setAsked({ verb: "limit" }) }]
          : [],
      [admin],
    ),
  );
  const alive = workers.data?.filter((each) => each.alive).length;
  const silent = (workers.data?.length ?? 0) - (alive ?? 0);
  return (
    <>
      <PageHead
        title="Workers and queues"
        facts={
          alive !== undefined && (
            <span>
              {alive} alive{silent > 0 && `, ${silent} silent`}
            </span>
          )
        }
        actions={<CopyCommand text={adminLine.queues()} />}
      />
      <Section
        title="Queues"
        actions={admin && <Button onPress={() => setAsked({ verb: "limit" })}>Limit another queue…</Button>}
      >
        {queues.isError && <ErrorBox error={queues.error} />}
        {(queues.data ?? []).length > 0 && (
          <Grid label="Queues" columns={columns} rows={queues.data ?? []} keyOf={(each) => each.name} />
        )}
        {queues.data?.length === 0 && (
          <Empty title="There are no queues.">
            <p>A queue appears when a sub-task waits in it, a worker asks it for work, or it has limits.</p>
          </Empty>
        )}
      </Section>
      <Section title="Workers" actions={<CopyCommand text={adminLine.workers()} />}>
        {workers.isError && <ErrorBox error={workers.error} />}
        {(workers.data ?? []).length > 0 && (
          <Grid
            keys
            label="Workers"
            columns={COLUMNS}
            rows={workers.data ?? []}
            keyOf={(each) => each.worker}
          />
        )}
        {workers.data?.length === 0 && (
          <Empty title="No worker was heard of lately.">
            <p>
              Any program becomes one with <code>longhaul worker exec --queue QUEUE -- PROGRAM</code>.
            </p>
          </Empty>
        )}
      </Section>
      {asked && <QueueDialog asked={asked} onClose={() => setAsked(undefined)} />}
    </>
  );
}
