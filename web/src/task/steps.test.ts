import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SubTask } from "../api/types";
import { allSteps, countsOf, FEW, rowsOf } from "./steps";

const STATUSES = ["PENDING", "IN_PROGRESS", "SUCCESSFUL", "FAILED", "SKIPPED", "NOT_APPLICABLE"];
const leaf = (name: string, status: string, subTasks: SubTask[] = []) =>
  ({ name, description: "", status, creationTimestamp: "2026-01-01T00:00:00Z", subTasks }) as SubTask;
const status = fc.constantFrom(...STATUSES);
const tree = fc.array(fc.tuple(status, fc.array(status, { maxLength: 30 })), { maxLength: 6 }).map((steps) =>
  steps.map(([own, children], i) =>
    leaf(
      `s${i}`,
      own,
      children.map((each, j) => leaf(`s${i}[${j}]`, each)),
    ),
  ),
);

describe("the rows of the steps", () => {
  it("show each step exactly once when all is opened, and no key twice", () => {
    fc.assert(
      fc.property(tree, (steps) => {
        let rows = rowsOf(steps, new Map());
        // Opening a row shows more rows, three levels at the most.
        for (let i = 0; i < 3; i++) rows = rowsOf(steps, new Map(rows.map((row) => [row.key, true])));
        const shown = rows.filter((row) => row.kind === "step").map((row) => row.step.name);
        expect(shown.sort()).toEqual(
          allSteps(steps)
            .map((step) => step.name)
            .sort(),
        );
        expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
      }),
    );
  });
  it("count all children of a fan-out by status, failures first", () => {
    fc.assert(
      fc.property(fc.array(status, { minLength: FEW + 1, maxLength: 200 }), (children) => {
        const step = leaf(
          "fan",
          "IN_PROGRESS",
          children.map((each, i) => leaf(`c${i}`, each)),
        );
        const groups = rowsOf([step], new Map()).filter((row) => row.kind === "group");
        expect(groups.reduce((sum, group) => sum + group.count, 0)).toBe(children.length);
        if (children.includes("FAILED")) expect(groups[0]?.status).toBe("FAILED");
        expect(countsOf(step.subTasks ?? []).map((each) => each.status)).toEqual(groups.map((g) => g.status));
      }),
    );
  });
});
