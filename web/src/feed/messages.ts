/** What the tabs of a browser tell each other about the feed. */
import type { Task } from "../api/types";

/** A change of one task: its newest state, or that it was deleted. */
export type Change = { kind: "task"; task: Task } | { kind: "deleted"; id: string };

/** Whether changes arrive: `connecting` at first, `live`, or `down` while the connection is tried again. */
export type FeedState = "connecting" | "live" | "down";

/** A message of the tab that reads the feed to the others; `hello` goes the other way. */
export type FeedMessage =
  | { type: "changes"; changes: Change[]; cursor: string }
  | { type: "state"; state: FeedState; heard: number; liveSince: number; cursor: string }
  /** Changes may have been missed: everything that was read must be read again. */
  | { type: "anew" }
  | { type: "hello" };

/** The id of the task that a change is about. */
export const idOf = (change: Change): string => (change.kind === "task" ? change.task.id : change.id);

/**
 * True when `change` says more than `known`, the newest version known of that task. Versions rise with each change;
 * imported tasks have none and never change but by deletion.
 */
export function isNewer(change: Change, known: number | undefined): boolean {
  return change.kind === "deleted" || known === undefined || (change.task.version ?? 0) > known;
}

/** Changes waiting to be handed on: only the newest of each task is kept. */
export class Pending {
  private readonly byId = new Map<string, Change>();

  add(change: Change): void {
    const before = this.byId.get(idOf(change));
    if (before?.kind === "deleted") return;
    const known = before?.kind === "task" ? before.task.version : undefined;
    if (before && !isNewer(change, known)) return;
    this.byId.set(idOf(change), change);
  }

  /** All that waits; nothing waits afterwards. */
  take(): Change[] {
    const changes = [...this.byId.values()];
    this.byId.clear();
    return changes;
  }

  get size(): number {
    return this.byId.size;
  }
}
