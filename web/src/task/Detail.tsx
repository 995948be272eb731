import { useSearchParams } from "wouter";
import type { Attempt, SubTask, Task } from "../api/types";
import { useMay } from "../app/session-context";
import { Button } from "../ui/Button";
import { Status } from "../ui/Status";
import { canonical } from "../ui/status";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import { Errors } from "./Errors";
import { isUndecided } from "./steps";
import styles from "./task.module.css";
import type { AskVerb } from "./verbs";

/** What is known of one step, and what can be done about it. */
export function Detail({
  step,
  attempts,
  ask,
}: {
  step: SubTask;
  task: Task;
  attempts: Attempt[];
  ask: AskVerb;
}) {
  const [, setParams] = useSearchParams();
  const operator = useMay("OPERATOR");
  const failed = canonical(step.status) === "FAILED";
  const logs = () =>
    setParams(
      (before) => new URLSearchParams({ ...Object.fromEntries(before), tab: "logs", step: step.name }),
    );
  return (
    <div className={styles.detail}>
      {step.description && <p className={styles.quiet}>{plain(step.description)}</p>}
      <p>
        <Status status={step.status} />{" "}
        <span className={styles.quiet}>
          {step.attempt !== undefined && `attempt ${step.attempt}`}
          {step.startTimestamp && (
            <>
              {" started "}
              <Time at={step.startTimestamp} />
            </>
          )}
          {attempts.at(-1)?.worker && (
            <>
              {" on worker "}
              <bdi>{attempts.at(-1)?.worker}</bdi>
            </>
          )}
        </span>
      </p>
      <Errors errors={step.errors ?? []} />
      {(step.stages ?? []).length > 0 && (
        <ul className={styles.stages}>
          {step.stages?.map((stage) => (
            <li key={stage.name}>
              <Status status={stage.status} iconOnly /> <bdi>{plain(stage.name)}</bdi>{" "}
              <span className={styles.quiet}>{plain(stage.description)}</span>
            </li>
          ))}
        </ul>
      )}
      <div className={styles.buttons}>
        {failed && operator && (
          <>
            <Button onPress={() => ask({ verb: "done", subTask: step.name })}>It was done</Button>
            <Button onPress={() => ask({ verb: "notDone", subTask: step.name })}>It was not done</Button>
            {isUndecided(step) && (
              <Button onPress={() => ask({ verb: "failed", subTask: step.name })}>It failed</Button>
            )}
            <Button onPress={() => ask({ verb: "skip", subTask: step.name })}>Skip</Button>
          </>
        )}
        <Button look="quiet" onPress={logs}>
          Logs of this step
        </Button>
      </div>
    </div>
  );
}
