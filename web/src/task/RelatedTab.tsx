import { Link } from "wouter";
import type { Lock, Task } from "../api/types";
import { lockName } from "../tasks/Wait";
import { Empty, ErrorBox } from "../ui/ErrorBox";
import { type Column, Grid } from "../ui/Grid";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import styles from "./task.module.css";
import { useLocks } from "./useTask";

const COLUMNS: Column<Lock>[] = [
  {
    id: "lock",
    label: "Lock",
    width: "30%",
    narrow: "main",
    cell: (lock) => <bdi>{plain(lockName(lock))}</bdi>,
  },
  {
    id: "state",
    label: "State",
    width: "90px",
    narrow: "side",
    cell: (lock) => (lock.state === "HELD" ? "Held" : "Waiting"),
  },
  { id: "mode", label: "Mode", width: "100px", narrow: "side", cell: (lock) => lock.mode.toLowerCase() },
  {
    id: "task",
    label: "By",
    cell: (lock) => (
      <Link href={`/tasks/${lock.taskId}`}>
        <bdi>{plain(lock.taskName)}</bdi>
      </Link>
    ),
  },
  {
    id: "since",
    label: "Since",
    width: "130px",
    align: "end",
    narrow: "side",
    cell: (lock) => <Time at={lock.since} />,
  },
];

/** Locks on the task's resources, and the ways to tasks that have something in common with it. */
export function RelatedTab({ task }: { task: Task }) {
  const resources = task.resources ?? [];
  const locks = useLocks(task.id, resources);
  const labels = Object.entries((task.labels ?? {}) as Record<string, string>);
  const link = (text: string, params: Record<string, string>) => (
    <li key={text}>
      <Link href={`/tasks?${new URLSearchParams(params)}`}>
        <bdi>{plain(text)}</bdi>
      </Link>
    </li>
  );
  return (
    <>
      <section className={styles.section}>
        <h2>Locks on its resources</h2>
        {locks.isError && <ErrorBox error={locks.error} />}
        {(locks.data ?? []).length > 0 ? (
          <Grid
            label="Locks"
            columns={COLUMNS}
            rows={locks.data ?? []}
            keyOf={(lock) => `${lock.taskId} ${lock.resourceType} ${lock.resourceId} ${lock.key}`}
          />
        ) : (
          <Empty title={resources.length > 0 ? "Nobody holds them." : "This task names no resources."} />
        )}
      </section>
      <section className={styles.section}>
        <h2>Other tasks</h2>
        <ul className={styles.list}>
          {task.type && link(`of type ${task.type}`, { type: task.type })}
          {resources.slice(0, 20).map((each) =>
            link(`on ${each.type} ${each.fqdn ?? each.name ?? each.resourceId}`, {
              resourceId: each.resourceId,
            }),
          )}
          {labels.map(([name, value]) =>
            link(`with the label ${name}=${value}`, { label: `${name}=${value}` }),
          )}
        </ul>
      </section>
    </>
  );
}
