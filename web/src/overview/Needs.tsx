import { Link } from "wouter";
import { NAV } from "../app/nav";
import { WaitOrError } from "../tasks/Wait";
import { ErrorBox } from "../ui/ErrorBox";
import { Hourglass, Warning } from "../ui/icons";
import { TaskStatus } from "../ui/Status";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import styles from "./overview.module.css";
import { type Need, useNeeds } from "./useNeeds";

/** What needs a person, and nothing else: empty, it says so. */
export function Needs() {
  const { needs, total, shown, open } = useNeeds();
  const rest = (total ?? 0) - shown;
  return (
    <section className={styles.panel}>
      <h2 className={styles.title}>
        Needs you{needs.length > 0 && ` (${(needs.length + rest).toLocaleString("en")})`}
      </h2>
      {open.isError && <ErrorBox error={open.error} />}
      {open.data && needs.length === 0 && <p className={styles.nothing}>Nothing needs you.</p>}
      <ul className={styles.needs}>
        {needs.map((need) => (
          <li key={need.key} className={styles.need}>
            <One need={need} />
            <span className={styles.since}>
              <Time at={need.since} />
            </span>
          </li>
        ))}
      </ul>
      {rest > 0 && (
        <Link href="/tasks?open=1" className={styles.rest}>
          {rest.toLocaleString("en")} more open failures
        </Link>
      )}
    </section>
  );
}

function One({ need }: { need: Need }) {
  if (need.kind === "task") {
    return (
      <>
        <span className={styles.status}>
          <TaskStatus task={need.task} />
        </span>
        <span className={styles.what}>
          <Link href={`/tasks/${need.task.id}`} className={styles.name}>
            <bdi>{plain(need.task.name)}</bdi>
          </Link>
          <span className={styles.why}>
            <WaitOrError task={need.task} />
          </span>
        </span>
      </>
    );
  }
  const [title, text, path] = described(need);
  const there = NAV.some((entry) => entry.path === path);
  return (
    <>
      <span className={`${styles.status} ${styles.warn}`}>
        {need.kind === "queue" ? <Hourglass /> : <Warning />}
        {title}
      </span>
      <span className={styles.what}>{there ? <Link href={path}>{text}</Link> : <span>{text}</span>}</span>
    </>
  );
}

function described(need: Exclude<Need, { kind: "task" }>): [title: string, text: string, path: string] {
  if (need.kind === "queue") {
    const { name, waiting } = need.queue;
    const steps = waiting === 1 ? "1 step waits" : `${waiting.toLocaleString("en")} steps wait`;
    return ["No worker", `Queue ${plain(name)}: ${steps}, and no worker is there`, "/workers"];
  }
  if (need.kind === "node") return ["Silent node", `${plain(need.node)} has not been heard of`, "/nodes"];
  return ["Clock", "The server's clock is doubted: longhaul clock confirm, once it is right", "/settings"];
}
