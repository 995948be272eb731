import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Task, TaskReason } from "../api/types";
import { useMay } from "../app/session-context";
import { lockName } from "../tasks/Wait";
import { Button } from "../ui/Button";
import { ErrorBox, Remark } from "../ui/ErrorBox";
import { Prose } from "../ui/Prose";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import styles from "./task.module.css";
import type { useWhy } from "./useTask";
import { type AskVerb, undecidedCount } from "./verbs";

const QUIET = ["ENDED", "RUNNING", "IMPORTED"];

/** Why the task does not go on, in the server's words, with links to what it waits for. */
export function Why({ why, task, ask }: { why: ReturnType<typeof useWhy>; task: Task; ask: AskVerb }) {
  const operator = useMay("OPERATOR");
  if (why.isError) return <ErrorBox error={why.error} />;
  const reasons = why.data?.reasons.filter((reason) => !QUIET.includes(reason.type)) ?? [];
  if (reasons.length === 0) return null;
  return (
    <div className={styles.why}>
      {reasons.slice(0, 4).map((reason) => (
        <Reason key={`${reason.type} ${reason.subTask} ${reason.message}`} reason={reason}>
          {reason.type === "DECISION" && reason.subTask && operator && (
            <Decide subTask={reason.subTask} task={task} ask={ask} />
          )}
        </Reason>
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

/** The answers to "did it do its work?", of the step that waits for one. */
function Decide({ subTask, task, ask }: { subTask: string; task: Task; ask: AskVerb }) {
  const others = undecidedCount(task) - 1;
  return (
    <div className={styles.buttons}>
      <Button onPress={() => ask({ verb: "done", subTask })}>It was done</Button>
      <Button onPress={() => ask({ verb: "notDone", subTask })}>It was not done</Button>
      <Button onPress={() => ask({ verb: "failed", subTask })}>It failed</Button>
      {others > 0 && <span className={styles.quiet}>and {others} more steps, below</span>}
    </div>
  );
}

function Reason({ reason, children }: { reason: TaskReason; children: ReactNode }) {
  return (
    <Remark tone={toneOf(reason)}>
      <p className={styles.reason}>
        <Prose text={reason.message} />
      </p>
      {reason.remediationMessage && (
        <p>
          <Prose text={reason.remediationMessage} />
        </p>
      )}
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
      {children}
    </Remark>
  );
}
