/** A page of the list that stays in place while tasks change: rows change where they are, new ones wait. */
import type { Task } from "../api/types";
import { type Change, idOf, isNewer } from "../feed/messages";
import { type Filters, matches, PAGE_SIZE } from "./filters";

/** More new tasks than this are counted as this many and some. */
export const MOST_FRESH = 999;

/** A page as it is shown. */
export interface LivePage {
  rows: Task[];
  /** Tasks that belong on this page and wait to be shown. */
  fresh: ReadonlySet<string>;
  /** Rows that no longer match the filter, or were deleted. */
  gone: ReadonlySet<string>;
}

/** The page as it was read. */
export const settled = (rows: Task[]): LivePage => ({ rows, fresh: new Set(), gone: new Set() });

type Key = string | number;

function sortKey(task: Task, orderBy: string): Key | undefined {
  if (orderBy === "creationTimestamp") return Date.parse(task.creationTimestamp);
  if (orderBy === "completionTimestamp") {
    return task.completionTimestamp ? Date.parse(task.completionTimestamp) : undefined;
  }
  return orderBy === "name" ? task.name : undefined;
}

/** True when `task`, which is not on the page, would be on it if the page were read now. */
function belongs(task: Task, page: LivePage, filters: Filters): boolean {
  const key = sortKey(task, filters.orderBy);
  if (key === undefined) return false;
  const after = (edge: Task | undefined): boolean => {
    const other = edge && sortKey(edge, filters.orderBy);
    return other === undefined || (filters.ascending ? key >= other : key <= other);
  };
  const first = page.rows[0];
  const last = page.rows.at(-1);
  if (filters.page > 1 && (!first || !after(first))) return false;
  return page.rows.length < PAGE_SIZE || !last || !after(last);
}

/** The page after `changes`, each of which counts once however often it comes. */
export function apply(page: LivePage, changes: Change[], filters: Filters, now: number): LivePage {
  const rows = [...page.rows];
  const fresh = new Set(page.fresh);
  const gone = new Set(page.gone);
  const places = new Map(rows.map((row, index) => [row.id, index]));
  let touched = false;
  for (const change of changes) {
    const id = idOf(change);
    const place = places.get(id);
    if (place === undefined) {
      touched = countFresh(change, page, fresh, filters, now) || touched;
      continue;
    }
    if (!isNewer(change, rows[place]?.version)) continue;
    touched = true;
    if (change.kind === "task") rows[place] = change.task;
    if (change.kind === "task" && matches(change.task, filters, now)) gone.delete(id);
    else gone.add(id);
  }
  return touched ? { rows, fresh, gone } : page;
}

function countFresh(
  change: Change,
  page: LivePage,
  fresh: Set<string>,
  filters: Filters,
  now: number,
): boolean {
  const id = idOf(change);
  const wanted =
    change.kind === "task" && matches(change.task, filters, now) && belongs(change.task, page, filters);
  if (!wanted) return fresh.delete(id);
  if (fresh.has(id) || fresh.size > MOST_FRESH) return false;
  fresh.add(id);
  return true;
}
