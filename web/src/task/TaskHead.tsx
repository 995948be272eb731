import { Link, useLocation } from "wouter";
import type { Task } from "../api/types";
import { useMay } from "../app/session-context";
import { againPath, originOf } from "../tasks/origin";
import { resourceText, shortId } from "../tasks/resources";
import { Button } from "../ui/Button";
import { CopyButton } from "../ui/CopyButton";
import { Flash } from "../ui/Flash";
import { ChevronDown } from "../ui/icons";
import { type Entry, Menu } from "../ui/Menu";
import { PageHead } from "../ui/PageHead";
import { TaskStatus } from "../ui/Status";
import { hasEnded, lookOfTask } from "../ui/status";
import { Span, Time } from "../ui/Time";
import { plain } from "../ui/text";
import styles from "./task.module.css";
import { type AskVerb, countOfAll, refusal, type Verb, WORDS } from "./verbs";

/** The head of a task: its status, how old and how far it is, and the verbs. */
export function TaskHead({ task, ask }: { task: Task; ask: AskVerb }) {
  const workflow = task.workflow as { name?: string; version?: number } | undefined;
  const resources = resourceText(task.resources ?? []);
  const origin = originOf(task);
  return (
    <PageHead
      title={task.name}
      before={
        <Flash value={lookOfTask(task).word}>
          <TaskStatus task={task} />
        </Flash>
      }
      facts={
        <>
          {hasEnded(task.status) && task.completionTimestamp ? (
            <span>
              ended <Time at={task.completionTimestamp} />, took{" "}
              <Span from={task.creationTimestamp} to={task.completionTimestamp} />
            </span>
          ) : (
            <span>
              created <Time at={task.creationTimestamp} />
            </span>
          )}
          {!hasEnded(task.status) && task.progress !== undefined && <span>{task.progress} %</span>}
          {(task.attempt ?? 1) > 1 && <span>run {task.attempt}</span>}
          {resources && (
            <span>
              <bdi>{plain(resources)}</bdi>
            </span>
          )}
          {workflow?.name && (
            <span>
              <Link href={`/tasks?type=${encodeURIComponent(task.type ?? "")}`}>{workflow.name}</Link>{" "}
              {workflow.version !== undefined && `v${workflow.version}`}
            </span>
          )}
          {origin && (
            <span>
              started again from <Link href={`/tasks/${origin}`}>{shortId(origin)}</Link>
            </span>
          )}
          <span className={styles.id}>
            <code title={task.id}>{shortId(task.id)}</code>
            <CopyButton text={task.id} what="the id" />
          </span>
        </>
      }
      actions={<Verbs task={task} ask={ask} />}
    />
  );
}

function Verbs({ task, ask }: { task: Task; ask: AskVerb }) {
  const operator = useMay("OPERATOR");
  const admin = useMay("ADMIN");
  const [, navigate] = useLocation();
  if (!operator) return null;
  const entry = (verb: Verb): Entry => {
    const refused = refusal(verb, task);
    return {
      id: verb,
      label: WORDS[verb].title,
      note: refused,
      disabled: !!refused,
      run: () => ask({ verb }),
    };
  };
  const many = (verb: Verb, label: string): Entry[] => {
    const count = countOfAll(verb, task);
    const run = () => ask({ verb, all: true });
    return count > 1 ? [{ id: `all ${verb}`, label: `${label} (${count.toLocaleString("en")})`, run }] : [];
  };
  const again = againPath(task);
  const entries = [
    ...(again ? [{ id: "again", label: "Start again with changes…", run: () => navigate(again) }] : []),
    entry("resolve"),
    ...many("done", "All in doubt were done"),
    ...many("notDone", "All in doubt were not done"),
    ...many("failed", "All in doubt failed"),
    ...many("skip", "Skip all steps that failed"),
    ...(admin ? [entry("release")] : []),
  ];
  return (
    <>
      <Button
        look={task.isRetryable ? "primary" : "normal"}
        refused={refusal("retry", task)}
        onPress={() => ask({ verb: "retry" })}
      >
        Retry
      </Button>
      <Button refused={refusal("cancel", task)} onPress={() => ask({ verb: "cancel" })}>
        Cancel
      </Button>
      <Menu label="More verbs" entries={entries}>
        <Button>
          More
          <ChevronDown size={12} />
        </Button>
      </Menu>
    </>
  );
}
