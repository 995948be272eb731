import type { Queue, QueueLimits } from "../api/types";
import { Button } from "../ui/Button";
import type { Column } from "../ui/Grid";
import { ChevronDown } from "../ui/icons";
import { Menu } from "../ui/Menu";
import { StatusLabel } from "../ui/Status";
import { plain } from "../ui/text";
import { duration } from "../ui/time";
import type { AskedOfQueue } from "./QueueDialog";
import styles from "./workers.module.css";

/** The limits of a queue in words; empty without any. */
export function limitText(limits: QueueLimits): string {
  return [
    limits.maxRunning !== undefined && `${limits.maxRunning.toLocaleString("en")} at once`,
    limits.rate !== undefined && `${limits.rate.replace("/", " in ")}`,
  ]
    .filter(Boolean)
    .join(", ");
}

function State({ queue }: { queue: Queue }) {
  if (queue.limits.paused) return <StatusLabel look={{ word: "Paused", tone: "warn", icon: "hand" }} />;
  if (queue.waiting > 0 && queue.workers === 0) {
    return <StatusLabel look={{ word: "No worker", tone: "warn", icon: "warning" }} />;
  }
  return <StatusLabel look={{ word: "Open", tone: "good", icon: "check" }} />;
}

const number = (id: "waiting" | "running" | "workers", label: string): Column<Queue> => ({
  id,
  label,
  width: "86px",
  align: "end",
  narrow: "side",
  value: (queue) => String(queue[id]),
  cell: (queue) => (
    <>
      {queue[id].toLocaleString("en")}
      <span className={styles.unit}> {label.toLowerCase()}</span>
    </>
  ),
});

/** The columns of the list of queues; with actions for an administrator. */
export function queueColumns(admin: boolean, ask: (asked: AskedOfQueue) => void): Column<Queue>[] {
  return [
    { id: "name", label: "Queue", narrow: "main", cell: (queue) => <bdi>{plain(queue.name)}</bdi> },
    {
      id: "state",
      label: "State",
      width: "120px",
      narrow: "side",
      value: (queue) => `${queue.limits.paused} ${queue.workers === 0}`,
      cell: (queue) => <State queue={queue} />,
    },
    number("waiting", "Waiting"),
    {
      id: "oldest",
      label: "Oldest waits",
      width: "110px",
      align: "end",
      narrow: "side",
      cell: (queue) =>
        queue.waiting > 0 && (
          <>
            <span className={styles.unit}>oldest </span>
            {duration(queue.oldestWaitMs)}
          </>
        ),
    },
    number("running", "Running"),
    number("workers", "Workers"),
    {
      id: "limits",
      label: "Limits",
      width: "20%",
      cell: (queue) => limitText(queue.limits) || <span className={styles.quiet}>no limits</span>,
    },
    ...(admin ? [actions(ask)] : []),
  ];
}

const actions = (ask: (asked: AskedOfQueue) => void): Column<Queue> => ({
  id: "actions",
  label: "Actions",
  width: "110px",
  align: "end",
  narrow: "line",
  cell: (queue) => (
    <Menu
      label={`Actions for ${queue.name}`}
      entries={[
        queue.limits.paused
          ? { id: "resume", label: "Resume…", run: () => ask({ verb: "resume", queue }) }
          : { id: "pause", label: "Pause…", run: () => ask({ verb: "pause", queue }) },
        { id: "limit", label: "Set limits…", run: () => ask({ verb: "limit", queue }) },
      ]}
    >
      <Button look="quiet" aria-label={`Actions for the queue ${plain(queue.name)}`}>
        Actions
        <ChevronDown size={12} />
      </Button>
    </Menu>
  ),
});
