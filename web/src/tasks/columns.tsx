import type { Task } from "../api/types";
import type { Column } from "../ui/Grid";
import { Progress } from "../ui/Progress";
import { TaskStatus } from "../ui/Status";
import { hasEnded, lookOfTask } from "../ui/status";
import { Span, Time } from "../ui/Time";
import { plain } from "../ui/text";
import { resourceText, shortId } from "./resources";
import styles from "./tasks.module.css";
import { WaitOrError, waitText } from "./Wait";

/** All columns of the list, in their order. */
export const COLUMNS: Column<Task>[] = [
  {
    id: "status",
    label: "Status",
    width: "176px",
    sort: "status",
    narrow: "side",
    value: (task) => lookOfTask(task).word,
    cell: (task) => <TaskStatus task={task} />,
  },
  {
    id: "name",
    label: "Name",
    sort: "name",
    narrow: "main",
    cell: (task) => (
      <bdi title={task.name} className={styles.name}>
        {plain(task.name)}
      </bdi>
    ),
  },
  {
    id: "resource",
    label: "Resource",
    width: "14%",
    narrow: "none",
    cell: (task) => {
      const text = resourceText(task.resources ?? []);
      return <bdi title={text}>{text}</bdi>;
    },
  },
  {
    id: "progress",
    label: "Progress",
    width: "118px",
    narrow: "side",
    value: (task) => String(task.progress),
    cell: (task) =>
      task.progress !== undefined && <Progress percent={task.progress} tone={lookOfTask(task).tone} />,
  },
  {
    id: "wait",
    label: "Waits for, or error",
    width: "26%",
    value: waitText,
    cell: (task) => <WaitOrError task={task} />,
  },
  {
    id: "started",
    label: "Created",
    width: "112px",
    sort: "creationTimestamp",
    align: "end",
    narrow: "side",
    cell: (task) => <Time at={task.creationTimestamp} />,
  },
  {
    id: "took",
    label: "Took",
    width: "92px",
    align: "end",
    narrow: "none",
    cell: (task) =>
      hasEnded(task.status) && !task.completionTimestamp ? null : (
        <Span from={task.creationTimestamp} to={task.completionTimestamp} />
      ),
  },
  {
    id: "type",
    label: "Type",
    width: "170px",
    sort: "type",
    narrow: "none",
    cell: (task) => task.type,
  },
  {
    id: "labels",
    label: "Labels",
    width: "180px",
    narrow: "none",
    cell: (task) =>
      Object.entries((task.labels ?? {}) as Record<string, string>)
        .map(([name, value]) => `${name}=${value}`)
        .join(" "),
  },
  {
    id: "id",
    label: "ID",
    width: "92px",
    narrow: "none",
    cell: (task) => <code title={task.id}>{shortId(task.id)}</code>,
  },
];

/** The columns that are shown unless the address says otherwise. */
export const USUAL = ["status", "name", "resource", "progress", "wait", "started", "took"];

/** The columns of an address's `cols`, in their fixed order; the name is always there. */
export function chosenColumns(param: string | null): string[] {
  const named = param?.split(",").filter((id) => COLUMNS.some((column) => column.id === id)) ?? [];
  const chosen = named.length > 0 ? [...named, "name"] : USUAL;
  return COLUMNS.map((column) => column.id).filter((id) => chosen.includes(id));
}
