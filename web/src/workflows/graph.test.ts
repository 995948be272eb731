import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Workflow } from "../api/types";
import { BOX, draw, stepsOf } from "./graph";

type Definition = Workflow["definition"];

/** Definitions of up to 10 sub-tasks, each of which needs some of those before it, or does not say. */
const definitions = fc
  .uniqueArray(
    fc.oneof(fc.string({ minLength: 1, maxLength: 6 }), fc.constantFrom("__proto__", "constructor")),
    {
      minLength: 1,
      maxLength: 10,
    },
  )
  .chain((names) =>
    fc
      .tuple(...names.map((_, index) => fc.option(fc.subarray(names.slice(0, index)), { nil: undefined })))
      .map(
        (needs) =>
          ({
            name: "w",
            type: "W",
            title: "W",
            subTasks: names.map((name, index) => ({
              name,
              description: "d",
              action: { simulate: {} },
              ...(needs[index] ? { needs: needs[index] } : {}),
            })),
          }) as unknown as Definition,
      ),
  );

describe("the drawing of a workflow", () => {
  it("has every sub-task below what it needs, none upon another, and all lines", () => {
    fc.assert(
      fc.property(definitions, (definition) => {
        const steps = stepsOf(definition);
        const { boxes, lines, width, height } = draw(steps);
        expect(boxes.length).toBe(steps.length);
        const at = new Map(boxes.map((box) => [box.step.name, box]));
        for (const step of steps) {
          const box = at.get(step.name);
          for (const need of step.needs) expect(at.get(need)?.y).toBeLessThan(box?.y ?? 0);
        }
        expect(lines.length).toBe(steps.reduce((sum, step) => sum + step.needs.length, 0));
        boxes.forEach((one, index) => {
          expect(one.x + BOX.width / 2 <= width && one.y + BOX.height / 2 <= height).toBe(true);
          for (const other of boxes.slice(index + 1)) {
            const apart = Math.abs(one.x - other.x) >= BOX.width || Math.abs(one.y - other.y) >= BOX.height;
            expect(apart).toBe(true);
          }
        });
      }),
      { numRuns: 50 },
    );
  });
  it("leaves out needs that lead nowhere", () => {
    const steps = stepsOf({
      subTasks: [{ name: "A", description: "", action: { wait: {} }, needs: ["gone"] }],
    } as unknown as Definition);
    expect(draw(steps).lines).toEqual([]);
  });
});
