import { Link } from "wouter";
import type { TaskReason } from "../api/types";
import { lockName } from "../tasks/Wait";
import { ErrorBox, Remark, sentence } from "../ui/ErrorBox";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import styles from "./task.module.css";
import type { useWhy } from "./useTask";

const QUIET = ["ENDED", "RUNNING", "IMPORTED"];

/** Why the task does not go on, in the server's words, with links to what it waits for. */
export function Why({ why }: { why: ReturnType<typeof useWhy> }) {
  if (why.isError) return <ErrorBox error={why.error} />;
  const reasons = why.data?.reasons.filter((reason) => !QUIET.includes(reason.type)) ?? [];
  if (reasons.length === 0) return null;
  return (
    <div className={styles.why}>
      {reasons.slice(0, 4).map((reason) => (
        <Reason key={`${reason.type} ${reason.subTask} ${reason.message}`} reason={reason} />
      ))}
      {reasons.length > 4 && <p className={styles.quiet}>and {reasons.length - 4} more reasons</p>}
    </div>
  );
}

function toneOf(reason: TaskReason): "grey" | "warn" | "bad" {
  if (reason.type === "FAILED" || reason.type === "UNREADABLE") return "bad";
  if (reason.type === "DECISION" || reason.type === "PAUSED") return "warn";
  const blocked = reason.locks?.some((lock) => lock.awaitsDecision) || reason.queue?.workers === 0;
  return blocked ? "warn" : "grey";
}

function Reason({ reason }: { reason: TaskReason }) {
  return (
    <Remark tone={toneOf(reason)}>
      <p className={styles.reason}>{sentence(plain(reason.message))}.</p>
      {reason.remediationMessage && <p>{sentence(reason.remediationMessage)}.</p>}
      {reason.locks?.map((lock) => (
        <p key={`${lock.taskId} ${lock.resourceId} ${lock.key}`}>
          <bdi>{lockName(lock)}</bdi>: {lock.state === "HELD" ? "held by" : "behind"}{" "}
          <Link href={`/tasks/${lock.taskId}`}>
            <bdi>{plain(lock.taskName)}</bdi>
          </Link>{" "}
          since <Time at={lock.since} />
        </p>
      ))}
      {reason.queue && (
        <p>
          Queue <bdi>{reason.queue.name}</bdi>: {reason.queue.workers} workers, {reason.queue.waiting}{" "}
          waiting, {reason.queue.running} running
        </p>
      )}
      {reason.until && (
        <p>
          Until <Time at={reason.until} />
        </p>
      )}
    </Remark>
  );
}
