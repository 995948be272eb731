import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { api, must } from "../api/client";
import { useFeedRefresh } from "../feed/FeedProvider";
import { useCount } from "../tasks/Views";
import { lockName } from "../tasks/Wait";
import { PageHead } from "../ui/PageHead";
import { TaskStatus } from "../ui/Status";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import { duration } from "../ui/time";
import { Needs } from "./Needs";
import styles from "./overview.module.css";
import { useQueues, useWorkers } from "./useNeeds";

/** Is anything wrong, and what needs me? */
export function Overview() {
  return (
    <>
      <PageHead title="Overview" />
      <div className={styles.top}>
        <Needs />
        <Now />
      </div>
      <div className={styles.columns}>
        <Failures />
        <Locks />
        <Ended />
      </div>
    </>
  );
}

function Figure({ value, label, href }: { value: number | undefined; label: string; href?: string }) {
  const number = <span className={styles.number}>{value?.toLocaleString("en") ?? "…"}</span>;
  return (
    <div className={styles.figure}>
      {href ? <Link href={href}>{number}</Link> : number}
      <span className={styles.label}>{label}</span>
    </div>
  );
}

function Now() {
  const running = useCount("status=IN_PROGRESS");
  const pending = useCount("status=PENDING");
  const ended = useCount("status=SUCCESSFUL,COMPLETED_WITH_WARNING&ended=1h");
  const failed = useCount("status=FAILED&ended=1h");
  const queues = useQueues().data ?? [];
  const workers = useWorkers().data ?? [];
  const oldest = [...queues]
    .filter((queue) => queue.waiting > 0)
    .sort((a, b) => b.oldestWaitMs - a.oldestWaitMs)[0];
  const lost = workers.filter((worker) => !worker.alive).length;
  return (
    <section className={styles.panel}>
      <h2 className={styles.title}>Now</h2>
      <div className={styles.figures}>
        <Figure value={running} label="in progress" href="/tasks?status=IN_PROGRESS" />
        <Figure value={pending} label="pending" href="/tasks?status=PENDING" />
        <Figure
          value={ended}
          label="ended well, last hour"
          href="/tasks?status=SUCCESSFUL,COMPLETED_WITH_WARNING&ended=1h"
        />
        <Figure value={failed} label="failed, last hour" href="/tasks?status=FAILED&ended=1h" />
        <Figure
          value={workers.length - lost}
          label={lost > 0 ? `workers live, ${lost} lost` : "workers live"}
        />
        <Figure
          value={queues.reduce((sum, queue) => sum + queue.waiting, 0)}
          label="steps wait for workers"
        />
      </div>
      {oldest && (
        <p className={styles.label}>
          The oldest waits {duration(oldest.oldestWaitMs)} in the queue <bdi>{plain(oldest.name)}</bdi>.
        </p>
      )}
    </section>
  );
}

function Failures() {
  useFeedRefresh(["failures"], 5000);
  const query = useQuery({
    queryKey: ["failures"],
    queryFn: () =>
      must(
        api.GET("/v1/tasks", {
          params: {
            query: {
              taskStatus: ["FAILED"],
              completedAfter: Date.now() - 86_400_000,
              view: "summary",
              pageSize: 100,
            },
          },
        }),
      ),
  });
  const counts = new Map<string, number>();
  for (const { type } of query.data?.elements ?? [])
    counts.set(type ?? "", (counts.get(type ?? "") ?? 0) + 1);
  const rows = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 8);
  const most = rows[0]?.[1] ?? 1;
  const total = query.data?.pageMetadata.totalElements ?? 0;
  return (
    <section className={styles.panel}>
      <h2 className={styles.title}>
        Failures by type, 24 h{total > 100 && ` (the latest 100 of ${total.toLocaleString("en")})`}
      </h2>
      {rows.length === 0 && <p className={styles.nothing}>Nothing failed.</p>}
      <ul className={styles.rows}>
        {rows.map(([type, count]) => (
          <li key={type} className={styles.bars}>
            <Link href={`/tasks?status=FAILED&ended=24h${type && `&type=${encodeURIComponent(type)}`}`}>
              {type || "without a type"}
            </Link>
            <span className={styles.track} aria-hidden>
              <span className={styles.fill} style={{ width: `${(count / most) * 100}%` }} />
            </span>
            <span className={styles.count}>{count}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Locks() {
  useFeedRefresh(["locks"], 5000);
  const query = useQuery({
    queryKey: ["locks"],
    queryFn: () => must(api.GET("/v1/resources/locks", { params: { query: { pageSize: 100 } } })),
  });
  const held = (query.data?.elements ?? [])
    .filter((lock) => lock.state === "HELD")
    .sort((a, b) => Date.parse(a.since) - Date.parse(b.since))
    .slice(0, 8);
  const total = query.data?.pageMetadata.totalElements ?? 0;
  return (
    <section className={styles.panel}>
      <h2 className={styles.title}>
        Locks held longest{total > 100 && ` (of 100 among ${total.toLocaleString("en")})`}
      </h2>
      {held.length === 0 && <p className={styles.nothing}>No lock is held.</p>}
      <ul className={styles.rows}>
        {held.map((lock) => (
          <li key={`${lock.taskId} ${lockName(lock)}`} className={styles.row}>
            <span className={styles.clip}>
              <bdi>{plain(lockName(lock))}</bdi>
              {" by "}
              <Link href={`/tasks/${lock.taskId}`}>
                <bdi>{plain(lock.taskName)}</bdi>
              </Link>
            </span>
            <span className={lock.awaitsDecision ? styles.warn : styles.label}>
              <Time at={lock.since} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Ended() {
  useFeedRefresh(["ended"], 3000);
  const query = useQuery({
    queryKey: ["ended"],
    queryFn: () =>
      must(
        api.GET("/v1/tasks", {
          params: {
            query: {
              orderBy: "completionTimestamp",
              orderDirection: "DESC",
              view: "summary",
              include: ["all"],
              pageSize: 8,
            },
          },
        }),
      ),
  });
  const rows = (query.data?.elements ?? []).filter((task) => task.completionTimestamp);
  return (
    <section className={styles.panel}>
      <h2 className={styles.title}>Ended last</h2>
      {query.data && rows.length === 0 && <p className={styles.nothing}>No task has ended yet.</p>}
      <ul className={styles.rows}>
        {rows.map((task) => (
          <li key={task.id} className={styles.row}>
            <span className={styles.ended}>
              <TaskStatus task={task} />
            </span>
            <span className={styles.clip}>
              <Link href={`/tasks/${task.id}`}>
                <bdi>{plain(task.name)}</bdi>
              </Link>
            </span>
            <span className={styles.label}>
              <Time at={task.completionTimestamp ?? ""} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
