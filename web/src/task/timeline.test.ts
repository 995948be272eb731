import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Attempt } from "../api/types";
import { intervalOf, lineOf, spentOf, union } from "./timeline";

const instant = fc.integer({ min: 0, max: 100_000_000 });
const interval = fc.tuple(instant, fc.nat(1_000_000)).map(([from, length]) => ({ from, to: from + length }));
const attempt = fc
  .record({ at: instant, length: fc.option(fc.nat(1_000_000)), generation: fc.integer({ min: 1, max: 4 }) })
  .map(({ at, length, generation }) => ({
    ...{ subTask: "a", number: 1, generation, status: "FAILED" },
    creationTimestamp: new Date(at).toISOString(),
    ...(length === null ? {} : { completionTimestamp: new Date(at + length).toISOString() }),
  })) as fc.Arbitrary<Attempt>;

describe("the line of a task", () => {
  it("keeps the order of instants, from 0 to 1, whatever is folded", () => {
    fc.assert(
      fc.property(fc.array(interval), instant, instant, fc.array(instant), (busy, start, end, instants) => {
        const line = lineOf(busy, start, end);
        const places = instants.sort((a, b) => a - b).map(line.place);
        places.forEach((place, index) => {
          expect(place).toBeGreaterThanOrEqual(places[index - 1] ?? 0);
          expect(place).toBeLessThanOrEqual(1);
        });
        expect(line.place(line.start)).toBe(0);
        expect(line.place(line.end)).toBe(1);
      }),
    );
  });
  it("folds only what nobody worked in", () => {
    fc.assert(
      fc.property(fc.array(interval), instant, instant, (busy, start, end) => {
        for (const fold of lineOf(busy, start, end).folds) {
          for (const { from, to } of busy) expect(to <= fold.from || from >= fold.to).toBe(true);
        }
      }),
    );
  });
  it("shows an hour without work as a small part of it", () => {
    const line = lineOf(
      [
        { from: 0, to: 10_000 },
        { from: 3_610_000, to: 3_620_000 },
      ],
      0,
      3_620_000,
    );
    expect(line.folds).toHaveLength(1);
    expect(line.place(3_610_000) - line.place(10_000)).toBeLessThan(0.1);
  });
});

describe("where the time went", () => {
  it("adds up to the whole, and the running part is the time in which anything ran", () => {
    fc.assert(
      fc.property(fc.array(attempt), instant, fc.nat(200_000_000), (attempts, created, length) => {
        const end = created + length;
        const spent = spentOf(attempts, created, end);
        expect(spent.before + spent.running + spent.between + spent.person).toBe(length);
        const all = union(attempts.map((each) => intervalOf(each, end)));
        const ran = all.reduce(
          (sum, { from, to }) => sum + Math.max(0, Math.min(to, end) - Math.max(from, created)),
          0,
        );
        expect(spent.running).toBe(ran);
        for (const part of Object.values(spent)) expect(part).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
