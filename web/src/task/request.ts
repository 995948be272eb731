import { api, must } from "../api/client";
import type { Asked, Verb } from "./verbs";

const OUTCOMES = { done: "done", notDone: "notDone", failed: "failed", skip: "skipped" } as Partial<
  Record<Verb, "done" | "notDone" | "failed" | "skipped">
>;

/** Asks the server for the verb; `output` is JSON, for a step that was done. */
export function request(asked: Asked, id: string, reason: string, output: unknown): Promise<unknown> {
  const path = { id };
  const { verb, subTask } = asked;
  const query = reason ? { reason } : {};
  if (verb === "retry") return must(api.PATCH("/v1/tasks/{id}", { params: { path, query } }));
  if (verb === "cancel") return must(api.DELETE("/v1/tasks/{id}", { params: { path, query } }));
  if (verb === "release") {
    return must(api.POST("/v1/tasks/{id}/release-locks", { params: { path }, body: { reason } }));
  }
  if (verb === "skip" && subTask) {
    const params = { path: { id, name: subTask } };
    return must(api.POST("/v1/tasks/{id}/subtasks/{name}/skip", { params, body: { reason } }));
  }
  const outcome = OUTCOMES[verb];
  const body = {
    reason,
    all: asked.all ?? false,
    ...(subTask ? { subTask } : {}),
    ...(outcome ? { outcome } : {}),
    ...(output === undefined ? {} : { output }),
  };
  return must(api.POST("/v1/tasks/{id}/resolve", { params: { path }, body }));
}
