import type { TestServer } from "./server";

const step = (name: string, action: object, more: object = {}) => ({
  name,
  description: `Does ${name}`,
  action,
  ...more,
});

/** Workflows of the tests: one that succeeds, one that fails once, one in doubt, one that waits, and a fan-out. */
const WORKFLOWS = [
  {
    name: "quick",
    type: "QUICK",
    title: "Quick",
    subTasks: [step("Only", { simulate: { duration: "1ms" } })],
  },
  {
    ...{ name: "fails-once", type: "FAILS_ONCE", title: "Fails once" },
    resources: [{ type: "HOST", resourceId: "esx07", lock: "exclusive" }],
    subTasks: [
      step("First", { simulate: { duration: "1ms" } }),
      step("Second", {
        simulate: {
          duration: "1ms",
          failAttempts: [1],
          error: { code: "NO_ANSWER", message: "<b>esx07</b> is silent" },
        },
      }),
    ],
  },
  {
    ...{ name: "in-doubt", type: "IN_DOUBT", title: "In doubt" },
    subTasks: [step("Risky", { simulate: { duration: "1h" } }, { repeatable: false, timeout: "1s" })],
  },
  { name: "waits", type: "WAITS", title: "Waits", subTasks: [step("Wait", { wait: { for: "1h" } })] },
  {
    name: "writes",
    type: "WRITES",
    title: "Writes",
    subTasks: [step("Write", { worker: { queue: "paper" } })],
  },
  {
    ...{ name: "fan-fails", type: "FAN_FAILS", title: "Fan-out that fails" },
    subTasks: [
      step(
        "Each",
        { simulate: { duration: "1ms", failAttempts: [1], error: { code: "BROKEN", message: "it broke" } } },
        { forEach: "{{ [1, 2, 3] }}" },
      ),
    ],
  },
  {
    ...{ name: "fan", type: "FAN", title: "Fan-out" },
    input: { type: "object", properties: { items: { type: "array" } } },
    subTasks: [
      step("Each", { simulate: { duration: "1ms" } }, { forEach: "{{ input.items }}", parallel: 100 }),
    ],
  },
];

/** Stores the workflows at the server. */
export async function applyWorkflows(server: TestServer): Promise<void> {
  for (const workflow of WORKFLOWS) await server.call("PUT", `/v1/workflows/${workflow.name}`, workflow);
}
