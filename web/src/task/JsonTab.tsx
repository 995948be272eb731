import type { Task } from "../api/types";
import { Json } from "../ui/Json";

/** The task as the API gives it. */
export function JsonTab({ task }: { task: Task }) {
  return <Json title={`GET /v1/tasks/${task.id}`} value={task} />;
}
