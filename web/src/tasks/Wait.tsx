import { Link } from "wouter";
import type { Lock, Task, WaitingFor } from "../api/types";
import { canonical, hasEnded } from "../ui/status";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import { resourceText } from "./resources";
import styles from "./Wait.module.css";

/** A lock or place as people call it. */
export function lockName(lock: Pick<Lock, "resourceType" | "resourceId" | "workflow" | "key">): string {
  return lock.resourceType
    ? `${lock.resourceType} ${lock.resourceId}`
    : `a place of ${lock.workflow} (${lock.key})`;
}

/** What a task waits for, or why it failed, in one line with links. */
export function WaitOrError({ task }: { task: Task }) {
  const error = task.errors?.[0];
  const failed = canonical(task.status) === "FAILED";
  if (task.waitingFor && !hasEnded(task.status)) return <Waits task={task} waiting={task.waitingFor} />;
  if (failed && task.waitingFor?.type === "DECISION") {
    return (
      <span className={styles.warn}>
        Did <bdi>{task.waitingFor.subTask}</bdi> do its work? Somebody must say so
      </span>
    );
  }
  if (!error) return null;
  const cause = error.nestedErrors?.[0]?.message ?? error.causes?.[0]?.message ?? error.message;
  return (
    <span className={task.resolutionStatus === "RESOLVED" ? styles.quiet : ""} title={cause}>
      <bdi>{plain(cause)}</bdi>
    </span>
  );
}

function Waits({ task, waiting }: { task: Task; waiting: WaitingFor }) {
  const lock = waiting.locks?.[0];
  const until = waiting.until && <Time at={waiting.until} />;
  switch (waiting.type) {
    case "LOCK":
      return lock ? (
        <span>
          <bdi>{lockName(lock)}</bdi>, {lock.state === "HELD" ? "held by" : "behind"}{" "}
          <Link href={`/tasks/${lock.taskId}`}>
            <bdi>{plain(lock.taskName)}</bdi>
          </Link>
          {lock.awaitsDecision && <span className={styles.warn}> (failed, awaits a decision)</span>}
        </span>
      ) : (
        <span>
          Locks of <bdi>{resourceText(task.resources ?? []) || "its resources"}</bdi>
        </span>
      );
    case "WORKER":
      return (
        <span className={waiting.workers === 0 ? styles.warn : ""}>
          Queue <bdi>{waiting.queue}</bdi>
          {waiting.workers === 0 ? ": no worker is there" : ""}
        </span>
      );
    case "RETRY":
      return <span>Next attempt {until}</span>;
    case "TIMER":
      return <span>Goes on {until}</span>;
    case "START":
      return <span>Starts {until}</span>;
    case "CAPACITY":
      return <span>Room on the node</span>;
    case "DECISION":
      return <span className={styles.warn}>A decision</span>;
    case "STOP":
      return <span>What runs is being stopped</span>;
    default:
      return <span>{waiting.type}</span>;
  }
}

/** The same as a text, to see when it changes. */
export function waitText(task: Task): string {
  const { waitingFor, errors } = task;
  return JSON.stringify([
    waitingFor?.type,
    waitingFor?.queue,
    waitingFor?.locks?.[0]?.taskId,
    errors?.[0]?.message,
  ]);
}
