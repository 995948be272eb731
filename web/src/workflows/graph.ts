/** The sub-tasks of a workflow, what each needs, and where each stands in a drawing. */
import { Graph, layout } from "@dagrejs/dagre";
import type { Workflow } from "../api/types";

type Definition = Workflow["definition"];
type Written = Definition["subTasks"][number];

/** A sub-task as the drawing and the table show it. */
export interface Step {
  name: string;
  description: string;
  /** The kind of its action, such as `http`. */
  action: string;
  /** The names of those that must end well first. */
  needs: string[];
  when: string | undefined;
  /** The list of which each item has a child of its own. */
  forEach: string | undefined;
  /** What is unlike the usual, in words. */
  remarks: string[];
}

/** The kind of an action, with the queue of a worker. */
function actionOf(step: Written): string {
  const [kind, detail] = Object.entries((step.action ?? {}) as Record<string, unknown>)[0] ?? ["", undefined];
  const queue = (detail as { queue?: unknown } | undefined)?.queue;
  return kind === "worker" && typeof queue === "string" ? `worker: ${queue}` : kind;
}

function remarksOf(step: Written): string[] {
  const tries = (step.retry as { attempts?: number } | undefined)?.attempts;
  return [
    step.timeout && `timeout ${step.timeout}`,
    tries !== undefined && tries > 1 && `up to ${tries} attempts`,
    step.onFailure === "continue" && "its failure does not stop the task",
    step.repeatable === false && "never run twice unasked",
    step.forEach && step.parallel && `${step.parallel} at once`,
  ].filter((remark): remark is string => typeof remark === "string");
}

/** The sub-tasks in the order of the definition. One that names no needs follows the one written before it. */
export function stepsOf(definition: Definition): Step[] {
  return definition.subTasks.map((step, index) => {
    const before = definition.subTasks[index - 1]?.name;
    return {
      name: step.name,
      description: step.description,
      action: actionOf(step),
      needs: step.needs ?? (before === undefined ? [] : [before]),
      when: step.when,
      forEach: step.forEach,
      remarks: remarksOf(step),
    };
  });
}

/** A drawing: boxes by the place of their middle, and lines between them, in pixels. */
export interface Drawing {
  width: number;
  height: number;
  boxes: { step: Step; x: number; y: number }[];
  lines: { from: string; to: string; points: { x: number; y: number }[] }[];
}

/** Measures of a box. */
export const BOX = { width: 208, height: 44 };

/** Places the sub-tasks below those that they need. */
export function draw(steps: Step[]): Drawing {
  const graph = new Graph();
  graph.setGraph({ rankdir: "TB", nodesep: 20, ranksep: 28, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(steps.map((step) => step.name));
  // Names come from outside: a prefix keeps them apart from what the library uses itself.
  for (const step of steps) graph.setNode(`s:${step.name}`, { ...BOX });
  const needs = steps.flatMap((step) =>
    [...new Set(step.needs)].filter((need) => known.has(need)).map((from) => ({ from, to: step.name })),
  );
  for (const { from, to } of needs) graph.setEdge(`s:${from}`, `s:${to}`);
  layout(graph);
  const size = graph.graph() as { width?: number; height?: number };
  const place = (name: string) => graph.node(`s:${name}`) as unknown as { x: number; y: number };
  return {
    width: Math.ceil(size.width ?? 0),
    height: Math.ceil(size.height ?? 0),
    boxes: steps.map((step) => ({ step, x: place(step.name).x, y: place(step.name).y })),
    lines: needs.map(({ from, to }) => ({
      from,
      to,
      points: (graph.edge(`s:${from}`, `s:${to}`) as { points: { x: number; y: number }[] }).points,
    })),
  };
}
