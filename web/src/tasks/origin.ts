/** A task that was started again with changes names its original by a label. */
import type { Task } from "../api/types";

/** The label with the original's id. */
export const ORIGIN_LABEL = "started-from";

/** The id of the task whose input this one was started with; undefined unless its label has an id. */
export function originOf(task: Task): string | undefined {
  const id = (task.labels as Record<string, string> | undefined)?.[ORIGIN_LABEL];
  return id && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(id) ? id : undefined;
}

/** The address of the form that starts the task again; undefined for a task that no workflow made. */
export function againPath(task: Task): string | undefined {
  const name = (task.workflow as { name?: string } | undefined)?.name;
  return name ? `/workflows/${encodeURIComponent(name)}/start?from=${task.id}` : undefined;
}
