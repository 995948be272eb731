/** The timeline of a task: instants to places on a line on which long idle spans are folded. */
import type { Attempt } from "../api/types";

/** A span of time, in milliseconds since 1970. */
export interface Interval {
  from: number;
  to: number;
}

/** An idle span that the line shows shorter than it was. */
export interface Fold extends Interval {
  /** The middle of the fold on the line, from 0 to 1. */
  at: number;
}

/** A line: `place` puts an instant between 0 and 1, in order; outside of the line it is the nearer end. */
export interface Line {
  place: (instant: number) => number;
  folds: Fold[];
  start: number;
  end: number;
}

/** An idle span longer than this part of the busy time is folded, to `FOLDED` of it. */
const LONG = 0.12;
const FOLDED = 0.05;

/** Overlapping and touching intervals as one, in order. */
export function union(intervals: Interval[]): Interval[] {
  const sorted = intervals
    .filter(({ from, to }) => Number.isFinite(from) && Number.isFinite(to))
    .map(({ from, to }) => ({ from, to: Math.max(from, to) }))
    .sort((a, b) => a.from - b.from);
  const merged: Interval[] = [];
  for (const each of sorted) {
    const last = merged.at(-1);
    if (last && each.from <= last.to) last.to = Math.max(last.to, each.to);
    else merged.push({ ...each });
  }
  return merged;
}

/** The line from `start` to `end` on which the times without any of `busy` are folded where they are long. */
export function lineOf(busy: Interval[], start: number, end: number): Line {
  const until = Math.max(end, start + 1);
  const inside = union(busy)
    .map(({ from, to }) => ({ from: Math.max(from, start), to: Math.min(to, until) }))
    .filter(({ from, to }) => to >= from);
  const work = inside.reduce((sum, { from, to }) => sum + to - from, 0) || until - start;
  const points: { instant: number; weight: number }[] = [{ instant: start, weight: 0 }];
  const folds: Interval[] = [];
  let weight = 0;
  const add = (from: number, to: number, idle: boolean) => {
    if (to <= from) return;
    const folded = idle && to - from > work * LONG && inside.length > 0;
    if (folded) folds.push({ from, to });
    weight += folded ? work * FOLDED : to - from;
    points.push({ instant: to, weight });
  };
  let at = start;
  for (const { from, to } of inside) {
    add(at, from, true);
    add(from, to, false);
    at = Math.max(at, to);
  }
  add(at, until, true);
  const place = (instant: number): number => {
    if (!(instant > start)) return 0;
    if (instant >= until) return 1;
    let low = 0;
    let high = points.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((points[middle]?.instant ?? 0) <= instant) low = middle;
      else high = middle;
    }
    const [a, b] = [points[low], points[high]];
    if (!a || !b) return 0;
    const part = (instant - a.instant) / (b.instant - a.instant);
    return Math.min(1, (a.weight + part * (b.weight - a.weight)) / weight);
  };
  return {
    place,
    start,
    end: until,
    folds: folds.map((fold) => ({ ...fold, at: (place(fold.from) + place(fold.to)) / 2 })),
  };
}

/** The time of an attempt; one that runs lasts until `now`. */
export function intervalOf(attempt: Attempt, now: number): Interval {
  const from = Date.parse(attempt.creationTimestamp);
  return {
    from,
    to: attempt.completionTimestamp ? Date.parse(attempt.completionTimestamp) : Math.max(now, from),
  };
}

/** Where the time of a task went, in milliseconds. */
export interface Spent {
  /** Before its first attempt: the start, locks, the queue. */
  before: number;
  running: number;
  /** Between attempts of one run: backoff, the queue, timers. */
  between: number;
  /** Between a failure and the retry or decision that went on. */
  person: number;
}

/** Where the time between the task's creation and `end` went. The parts add up to the whole. */
export function spentOf(attempts: Attempt[], created: number, end: number): Spent {
  const spent: Spent = { before: 0, running: 0, between: 0, person: 0 };
  const clip = ({ from, to }: Interval): Interval => ({
    from: Math.min(Math.max(from, created), end),
    to: Math.min(Math.max(to, created), end),
  });
  const busy = union(attempts.map((attempt) => clip(intervalOf(attempt, end))));
  const runStarts = new Map<number, number>();
  for (const { generation, creationTimestamp } of attempts) {
    const at = Date.parse(creationTimestamp);
    runStarts.set(generation, Math.min(runStarts.get(generation) ?? at, at));
  }
  const later = new Set([...runStarts].filter(([generation]) => generation > 1).map(([, from]) => from));
  let at = created;
  for (const [index, { from, to }] of busy.entries()) {
    if (index === 0) spent.before += from - at;
    else if (later.has(from)) spent.person += from - at;
    else spent.between += from - at;
    spent.running += to - from;
    at = to;
  }
  if (busy.length === 0) spent.before += Math.max(0, end - created);
  else spent.between += Math.max(0, end - at);
  return spent;
}
