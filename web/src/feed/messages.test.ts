import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Task } from "../api/types";
import { type Change, idOf, Pending } from "./messages";

const task = (id: string, version: number): Change => ({
  kind: "task",
  task: { id, version, name: id, status: "PENDING", creationTimestamp: "2026-01-01T00:00:00Z" } as Task,
});
const change = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom("a", "b", "c"), fc.nat(9)).map(([id, v]) => task(id, v)) },
  { weight: 1, arbitrary: fc.constantFrom("a", "b", "c").map((id): Change => ({ kind: "deleted", id })) },
);

describe("changes that wait to be handed on", () => {
  it("keep the newest state of each task, in whatever order they came, and a deletion for good", () => {
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        const pending = new Pending();
        for (const each of changes) pending.add(each);
        const taken = new Map(pending.take().map((each) => [idOf(each), each]));
        for (const id of ["a", "b", "c"]) {
          const own = changes.filter((each) => idOf(each) === id);
          const versions = own.map((each) => (each.kind === "task" ? (each.task.version ?? 0) : -1));
          const result = taken.get(id);
          if (own.length === 0) expect(result).toBeUndefined();
          else if (own.some((each) => each.kind === "deleted")) expect(result?.kind).toBe("deleted");
          else expect(result?.kind === "task" && result.task.version).toBe(Math.max(...versions));
        }
        expect(pending.size).toBe(0);
      }),
    );
  });
});
