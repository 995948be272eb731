/** What an operator can ask of a task: when it is possible, what follows from it, and what to call it. */
import type { Lock, Resource, Task } from "../api/types";
import { canonical, hasEnded } from "../ui/status";
import { plain } from "../ui/text";
import { allSteps, failedSteps, isUndecided } from "./steps";

/** A verb; those behind `release` decide about one sub-task. */
export type Verb = "retry" | "cancel" | "resolve" | "release" | "done" | "notDone" | "failed" | "skip";

/** A verb, and the sub-task or sub-tasks that it is about. */
export interface Asked {
  verb: Verb;
  subTask?: string;
  /** All steps in doubt; of `skip`, all that failed. */
  all?: boolean;
}
export type AskVerb = (asked: Asked) => void;

/** Texts of a verb. `done` reports its success. */
interface Words {
  title: string;
  button: string;
  done: string;
  reasonNeeded: boolean;
}

export const WORDS: Record<Verb, Words> = {
  retry: { title: "Retry", button: "Retry", done: "The task goes on from what failed", reasonNeeded: false },
  cancel: {
    title: "Cancel",
    button: "Cancel the task",
    done: "The task is being cancelled",
    reasonNeeded: false,
  },
  resolve: {
    title: "Mark as resolved",
    button: "Mark as resolved",
    done: "The failure is resolved",
    reasonNeeded: true,
  },
  release: {
    title: "Take its locks",
    button: "Take the locks",
    done: "The locks are free",
    reasonNeeded: true,
  },
  done: {
    title: "It was done",
    button: "It was done",
    done: "The task goes on behind the step",
    reasonNeeded: true,
  },
  notDone: {
    title: "It was not done",
    button: "Run it again",
    done: "The step runs again",
    reasonNeeded: true,
  },
  failed: {
    title: "It failed",
    button: "It failed",
    done: "The step is known to have failed",
    reasonNeeded: true,
  },
  skip: {
    title: "Skip",
    button: "Skip the step",
    done: "The task goes on without the step",
    reasonNeeded: true,
  },
};

/** Why `verb` is impossible for the task now; undefined when it is possible. The server has the last word. */
export function refusal(verb: Verb, task: Task): string | undefined {
  const failed = canonical(task.status) === "FAILED";
  switch (verb) {
    case "retry":
      if (task.isRetryable) return undefined;
      if (task.waitingFor?.type === "DECISION") return "First decide whether the step did its work";
      return failed ? "This failure cannot be retried" : "Only a failed task can be retried";
    case "cancel":
      if (task.isCancellable) return undefined;
      return hasEnded(task.status) ? "The task has ended" : "Its workflow does not allow it to be cancelled";
    case "resolve":
      if (!failed) return "Only a failure can be resolved";
      return task.resolutionStatus === "RESOLVED" ? "It is resolved already" : undefined;
    case "release":
      return failed ? undefined : "Only a failed task that keeps its locks can lose them";
    default:
      return failed ? undefined : "Only a failed task waits for decisions";
  }
}

const count = (n: number, one: string, many: string) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** How many steps a decision about all of them is about. */
export function countOfAll(verb: Verb, task: Task): number {
  return verb === "skip" ? failedSteps(task.subTasks ?? []).length : undecidedCount(task);
}

function nameOfAsked(asked: Asked, task: Task): string {
  if (asked.subTask) return `“${plain(asked.subTask)}”`;
  if (!asked.all) return "the step";
  const steps = count(countOfAll(asked.verb, task), "step", "steps");
  return asked.verb === "skip" ? `the ${steps} that failed` : `the ${steps} in doubt`;
}

/** What follows from the verb, each a sentence. */
export function consequences(asked: Asked, task: Task, locks: Lock[], readers: string[]): string[] {
  const name = nameOfAsked(asked, task);
  switch (asked.verb) {
    case "retry":
      return [...retryFacts(task), ...lockFacts(task, locks)];
    case "cancel":
      return [...cancelFacts(task), ...waiters(task, locks, "when it has stopped")];
    case "resolve":
      return [
        "The task stays failed, and is no longer counted among the open failures.",
        "Nothing runs again. A retry afterwards is no longer possible or needed.",
      ];
    case "release":
      return [
        "The task loses the locks that it keeps, although it may have left its resources half changed.",
        ...waiters(task, locks, "at once"),
      ];
    case "done":
      return [
        `The task goes on behind ${name}, ${asked.all ? "as if they had succeeded" : "as if it had succeeded"}.`,
        ...readerFacts(readers, "its output"),
      ];
    case "notDone":
      return [
        asked.all
          ? `Only ${name} run again; then the task goes on.`
          : `${name} runs again, it alone; then the task goes on.`,
      ];
    case "failed":
      return [
        `It is recorded that ${name} did not do its work. The task stays failed.`,
        "A retry of the task then asks for the work anew.",
      ];
    case "skip":
      return [
        `The task goes on without ${name}. It can end no better than Completed With Warning.`,
        ...readerFacts(readers, "an output that will be missing"),
      ];
  }
}

function retryFacts(task: Task): string[] {
  const failed = failedSteps(task.subTasks ?? []);
  const first = failed[0];
  const done = allSteps(task.subTasks ?? []).filter((step) => canonical(step.status) === "SUCCESSFUL").length;
  const from =
    failed.length > 1
      ? `the ${failed.length.toLocaleString("en")} steps that failed`
      : `“${plain(first?.name ?? "")}”`;
  return [
    first ? `The task goes on from ${from}.` : "The task goes on from what failed.",
    done > 0
      ? `${count(done, "finished step is", "finished steps are")} not run again.`
      : "No step has finished before.",
  ];
}

function cancelFacts(task: Task): string[] {
  const running = allSteps(task.subTasks ?? []).filter(
    (step) => canonical(step.status) === "IN_PROGRESS" && (step.subTasks ?? []).length === 0,
  ).length;
  return [
    "Nothing more of the task starts; it cannot be resumed.",
    running > 0
      ? `${count(running, "step that runs is", "steps that run are")} told to stop, and may take a while to do so.`
      : "No step runs at the moment.",
  ];
}

const nameOf = (resource: Resource) => `${resource.type} ${resource.resourceId}`;

function lockFacts(task: Task, locks: Lock[]): string[] {
  return (task.resources ?? []).slice(0, 8).flatMap((resource) => {
    const here = locks.filter(
      (lock) =>
        lock.state === "HELD" &&
        lock.resourceType?.toUpperCase() === resource.type.toUpperCase() &&
        lock.resourceId?.toLowerCase() === resource.resourceId.toLowerCase(),
    );
    const other = here.find((lock) => lock.taskId !== task.id);
    if (other) return [`${nameOf(resource)} is held by ${plain(other.taskName)}: the task may wait for it.`];
    return [
      here.length > 0 ? `${nameOf(resource)} is still held by this task.` : `${nameOf(resource)} is free.`,
    ];
  });
}

function waiters(task: Task, locks: Lock[], when: string): string[] {
  const own = locks.filter((lock) => lock.taskId === task.id && lock.state === "HELD");
  if (own.length === 0) return [];
  const waiting = [
    ...new Set(locks.filter((lock) => lock.state === "WAITING").map((lock) => plain(lock.taskName))),
  ];
  const names = own.map((lock) =>
    lock.resourceType ? `${lock.resourceType} ${lock.resourceId}` : `a place of ${lock.workflow}`,
  );
  const next = waiting.length > 0 ? `; ${waiting.slice(0, 3).join(", ")} can then go on` : "";
  return [`${names.slice(0, 4).join(", ")} ${own.length === 1 ? "becomes" : "become"} free ${when}${next}.`];
}

function readerFacts(readers: string[], verb: string): string[] {
  if (readers.length === 0) return [];
  return [`${readers.map((reader) => `“${plain(reader)}”`).join(", ")} read ${verb}.`];
}

/** The steps of a workflow's definition whose text reads the output of the step `name`. */
export function readersOf(definition: unknown, name: string): string[] {
  const steps = (definition as { subTasks?: { name?: string; action?: unknown; when?: unknown }[] })
    ?.subTasks;
  const own = name.replace(/\[\d+\]$/, "");
  const written = [`subTasks.${own}.`, `subTasks['${own}']`, `subTasks["${own}"]`, `subTasks.${own}|`];
  return (steps ?? [])
    .filter((step) => {
      const text = `${JSON.stringify(step.action ?? "")} ${String(step.when ?? "")}`.replaceAll('\\"', '"');
      return step.name !== own && written.some((part) => text.includes(part));
    })
    .map((step) => step.name ?? "");
}

/** How many steps wait for somebody to say whether they did their work. */
export function undecidedCount(task: Task): number {
  return failedSteps(task.subTasks ?? []).filter(isUndecided).length;
}
