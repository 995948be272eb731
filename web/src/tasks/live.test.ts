import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Task } from "../api/types";
import type { Change } from "../feed/messages";
import { type Filters, matches, readFilters, STATUSES, span, toQuery, writeFilters } from "./filters";
import { apply, type LivePage, settled } from "./live";

const NOW = Date.parse("2026-11-30T12:00:00Z");
const text = fc.constantFrom("", "a", "esx07", "100%", "a=b&c", "ü ✓", "<b>", '"x"');
const label = fc.constantFrom("demo", "demo=a", "change=CHG0042", "x=1=2");
const filters: fc.Arbitrary<Filters> = fc.record({
  status: fc.subarray(STATUSES),
  open: fc.boolean(),
  name: text,
  type: text,
  resourceId: text,
  resourceType: text,
  labels: fc.uniqueArray(label, { maxLength: 2 }),
  ended: fc.constantFrom("", "15m", "24h", "7d"),
  orderBy: fc.constantFrom("creationTimestamp", "completionTimestamp", "name", "type"),
  ascending: fc.boolean(),
  page: fc.integer({ min: 1, max: 3 }),
});
const task = fc
  .record({
    id: fc.integer({ min: 0, max: 12 }).map((n) => `t${n}`),
    version: fc.integer({ min: 1, max: 9 }),
    name: fc.constantFrom("Reboot", "Rotate esx07", "A<b>"),
    status: fc.constantFrom(...STATUSES, "In Progress", "Failed"),
    resolutionStatus: fc.constantFrom("RESOLVED", "UNRESOLVED"),
    minutes: fc.nat(3000),
    labels: fc.constantFrom({}, { demo: "a" }, { change: "CHG0042" }),
  })
  .map(({ minutes, ...rest }) => {
    const at = new Date(NOW - minutes * 60_000).toISOString();
    return { ...rest, creationTimestamp: at, completionTimestamp: at } as unknown as Task;
  });
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 8, arbitrary: task.map((each): Change => ({ kind: "task", task: each })) },
  { weight: 1, arbitrary: fc.nat(12).map((n): Change => ({ kind: "deleted", id: `t${n}` })) },
);
const page = fc.uniqueArray(task, { selector: (each) => each.id, maxLength: 6 }).map((rows) => settled(rows));

describe("filters in the address", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(filters, (given) => {
        const read = readFilters(new URLSearchParams(writeFilters(given).toString()));
        expect(read).toEqual(given);
      }),
    );
  });
  it("that mean nothing count as not given, whatever they are", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        const read = readFilters(new URLSearchParams({ page: a, ended: b, order: a, status: b, dir: a }));
        expect(read.page).toBeGreaterThanOrEqual(1);
        expect(read.ended === "" || span(read.ended) !== undefined).toBe(true);
        expect(read.status.every((each) => STATUSES.includes(each))).toBe(true);
        expect(toQuery(read, NOW).orderBy).toBeTruthy();
      }),
    );
  });
});

describe("a live page", () => {
  const ids = (state: LivePage) => state.rows.map((row) => row.id);

  it("never moves, adds or drops a row, and never goes back to an older version", () => {
    fc.assert(
      fc.property(page, fc.array(change), filters, (before, changes, given) => {
        const after = apply(before, changes, given, NOW);
        expect(ids(after)).toEqual(ids(before));
        after.rows.forEach((row, index) => {
          expect(row.version ?? 0).toBeGreaterThanOrEqual(before.rows[index]?.version ?? 0);
        });
        for (const id of after.fresh) expect(ids(before)).not.toContain(id);
        for (const id of after.gone) expect(ids(before)).toContain(id);
      }),
    );
  });
  it("is the same after the same changes came twice", () => {
    fc.assert(
      fc.property(
        page,
        fc.uniqueArray(change, { selector: (c) => (c.kind === "task" ? c.task.id : c.id) }),
        filters,
        (before, changes, given) => {
          const once = apply(before, changes, given, NOW);
          expect(apply(once, changes, given, NOW)).toEqual(once);
        },
      ),
    );
  });
  it("counts as new only what matches", () => {
    fc.assert(
      fc.property(page, task, filters, (before, each, given) => {
        const after = apply(before, [{ kind: "task", task: each }], given, NOW);
        if (after.fresh.has(each.id)) expect(matches(each, given, NOW)).toBe(true);
      }),
    );
  });
});
