/** The steps of a task as rows: children are grouped by status, failures first, and what is done is folded. */
import type { SubTask } from "../api/types";
import { canonical } from "../ui/status";

/** A row of the tree. */
export type Row =
  | { kind: "step"; key: string; step: SubTask; depth: number; expandable: boolean; expanded: boolean }
  | { kind: "group"; key: string; status: string; count: number; depth: number; expanded: boolean }
  | { kind: "detail"; key: string; step: SubTask; depth: number };

/** What the user opened and closed by hand; everything else is as usual. */
export type Toggled = ReadonlyMap<string, boolean>;

/** Children beyond this are shown in groups by status. */
export const FEW = 12;
/** So many failed steps are open at first: the first failures are read, and the rest has the same cause. */
const OPEN_FAILURES = 3;
const ORDER = ["FAILED", "IN_PROGRESS", "PENDING", "SKIPPED", "NOT_APPLICABLE", "SUCCESSFUL"];

/** Counts of statuses, failures first. */
export function countsOf(steps: SubTask[]): { status: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const step of steps) {
    const status = canonical(step.status);
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  const rank = (status: string) => (ORDER.includes(status) ? ORDER.indexOf(status) : ORDER.length);
  return [...counts]
    .map(([status, count]) => ({ status, count }))
    .sort((a, b) => rank(a.status) - rank(b.status));
}

/** All steps and children, in the order of the task. */
export function allSteps(steps: SubTask[]): SubTask[] {
  return steps.flatMap((step) => [step, ...allSteps(step.subTasks ?? [])]);
}

/** Steps that failed and are not merely the parents of others that failed. */
export function failedSteps(steps: SubTask[]): SubTask[] {
  return allSteps(steps).filter(
    (step) =>
      canonical(step.status) === "FAILED" &&
      !(step.subTasks ?? []).some((child) => canonical(child.status) === "FAILED"),
  );
}

/** True when nobody knows whether the step did its work. */
export function isUndecided(step: SubTask): boolean {
  return (
    canonical(step.status) === "FAILED" && (step.errors ?? []).some((e) => e.errorCode === "OUTCOME_UNKNOWN")
  );
}

/** The rows of the tree. */
export function rowsOf(steps: SubTask[], toggled: Toggled): Row[] {
  const rows: Row[] = [];
  let opened = 0;
  const isOpen = (key: string, usual: boolean) => toggled.get(key) ?? usual;
  const addStep = (step: SubTask, path: string, depth: number) => {
    const key = `${path}/${step.name}`;
    const children = step.subTasks ?? [];
    const failed = canonical(step.status) === "FAILED" && children.length === 0;
    const usual =
      children.length > 0 ? canonical(step.status) !== "SUCCESSFUL" : failed && opened < OPEN_FAILURES;
    if (failed && usual) opened++;
    const expanded = isOpen(key, usual);
    rows.push({ kind: "step", key, step, depth, expandable: true, expanded });
    if (!expanded) return;
    if (children.length === 0) rows.push({ kind: "detail", key: `${key}#detail`, step, depth: depth + 1 });
    else if (children.length <= FEW) for (const child of children) addStep(child, key, depth + 1);
    else addGroups(children, key, depth + 1);
  };
  const addGroups = (children: SubTask[], path: string, depth: number) => {
    for (const { status, count } of countsOf(children)) {
      const key = `${path}#${status}`;
      const expanded = isOpen(key, status === "FAILED" || (status === "IN_PROGRESS" && count <= 50));
      rows.push({ kind: "group", key, status, count, depth, expanded });
      if (!expanded) continue;
      for (const child of children) if (canonical(child.status) === status) addStep(child, path, depth + 1);
    }
  };
  for (const step of steps) addStep(step, "", 0);
  return rows;
}
