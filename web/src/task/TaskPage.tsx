import { useCallback, useMemo, useState } from "react";
import { Link, useSearchParams } from "wouter";
import { commandLine, curl } from "../api/commands";
import type { Task } from "../api/types";
import { type Command, useOfferCommands } from "../app/commands";
import { useMay } from "../app/session-context";
import { copyText } from "../ui/CopyButton";
import { ErrorBox } from "../ui/ErrorBox";
import { useHotkeys } from "../ui/hotkeys";
import { hasEnded } from "../ui/status";
import { AttemptsTab } from "./AttemptsTab";
import { Errors } from "./Errors";
import { HistoryTab } from "./HistoryTab";
import { JsonTab } from "./JsonTab";
import { LogsTab } from "./LogsTab";
import { RelatedTab } from "./RelatedTab";
import { SpentBar } from "./SpentBar";
import { Steps } from "./Steps";
import { failedSteps } from "./steps";
import { TaskHead } from "./TaskHead";
import styles from "./task.module.css";
import { useAttempts, useTask, useWhy } from "./useTask";
import { ValuesTab } from "./ValuesTab";
import { VerbDialog } from "./VerbDialog";
import { type Asked, refusal, type Verb, WORDS } from "./verbs";
import { Why } from "./Why";

const TABS: [string, string][] = [
  ["steps", "Steps"],
  ["logs", "Logs"],
  ["attempts", "Attempts"],
  ["values", "Input and output"],
  ["history", "History"],
  ["related", "Locks and related"],
  ["json", "JSON"],
];

/** One task: what happened, why it does not go on, and what can be done. */
export function TaskPage({ id }: { id: string }) {
  const task = useTask(id);
  if (task.data) return <Loaded task={task.data} stale={task.isError ? task.error : undefined} />;
  return task.isError ? <ErrorBox error={task.error} /> : null;
}

function Loaded({ task, stale }: { task: Task; stale: unknown }) {
  const [params] = useSearchParams();
  const tab = TABS.find(([id]) => id === params.get("tab"))?.[0] ?? "steps";
  const [asked, setAsked] = useState<Asked>();
  const ask = useCallback((what: Asked) => setAsked(what), []);
  const why = useWhy(task.id, hasEnded(task.status));
  const attempts = useAttempts(task.id);
  const [, setParams] = useSearchParams();
  const operator = useMay("OPERATOR");
  const openTab = (name: string) => setParams((before) => tabParams(before, name));
  const verb = (name: Verb) => () => operator && !refusal(name, task) && ask({ verb: name });
  useHotkeys({ r: verb("retry"), c: verb("cancel"), l: () => openTab("logs") });
  useOfferCommands(useMemo(() => taskCommands(task, operator, ask), [task, operator, ask]));
  // The steps that failed have the same errors, in their place.
  const inSteps =
    tab === "steps" && failedSteps(task.subTasks ?? []).some((step) => (step.errors ?? []).length > 0);
  const showsErrors = (task.errors ?? []).length > 0 && !inSteps;
  return (
    <>
      <TaskHead task={task} ask={ask} />
      {stale !== undefined && <ErrorBox error={stale} />}
      <Why why={why} task={task} ask={ask} />
      {showsErrors && <Errors errors={task.errors ?? []} />}
      <SpentBar task={task} attempts={attempts.data ?? []} />
      <nav className={styles.tabs} aria-label="Parts of the task">
        {TABS.map(([name, label]) => (
          <Link
            key={name}
            href={`/tasks/${task.id}${name === "steps" ? "" : `?tab=${name}`}`}
            className={styles.tab}
            aria-current={name === tab ? "true" : undefined}
          >
            {label}
          </Link>
        ))}
      </nav>
      {tab === "steps" && <Steps task={task} attempts={attempts.data ?? []} ask={ask} />}
      {tab === "logs" && <LogsTab task={task} />}
      {tab === "attempts" && <AttemptsTab attempts={attempts} />}
      {tab === "values" && <ValuesTab id={task.id} />}
      {tab === "history" && <HistoryTab id={task.id} />}
      {tab === "related" && <RelatedTab task={task} />}
      {tab === "json" && <JsonTab task={task} />}
      {asked && <VerbDialog task={task} asked={asked} onClose={() => setAsked(undefined)} />}
    </>
  );
}

function tabParams(before: URLSearchParams, name: string): URLSearchParams {
  const next = new URLSearchParams(before);
  if (name === "steps") next.delete("tab");
  else next.set("tab", name);
  return next;
}

function taskCommands(task: Task, operator: boolean, ask: (asked: Asked) => void): Command[] {
  const verbs: Verb[] = operator ? ["retry", "cancel", "resolve"] : [];
  const copy = (label: string, text: string): Command => ({
    id: label,
    label,
    run: () => void copyText(text, "the command"),
  });
  return [
    ...verbs.map((verb) => ({
      id: verb,
      label: `${WORDS[verb].title} this task`,
      refused: refusal(verb, task),
      run: () => ask({ verb }),
    })),
    copy("Copy as a command line: get this task", commandLine.get(task.id)),
    copy("Copy as a command line: why it waits", commandLine.why(task.id)),
    copy("Copy as a command line: its logs", commandLine.logs(task.id)),
    copy("Copy as curl: this task", curl("GET", `/v1/tasks/${task.id}`, { include: ["all"] })),
    copy("Copy the id of this task", task.id),
  ];
}
