/** Short reports of what an action did, at the foot of the page and for screen readers. */
import { useEffect, useSyncExternalStore } from "react";
import { Button } from "./Button";
import { Cross } from "./icons";
import styles from "./notices.module.css";

interface Notice {
  id: number;
  text: string;
  tone: "good" | "bad";
}
let notices: Notice[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function publish(value: Notice[]): void {
  notices = value;
  for (const listener of listeners) listener();
}

/** Shows a report; at most three are shown at a time. */
export function notify(text: string, tone: Notice["tone"] = "good"): void {
  publish([...notices, { id: nextId++, text, tone }].slice(-3));
}

const dismiss = (id: number) => publish(notices.filter((notice) => notice.id !== id));

function One({ notice }: { notice: Notice }) {
  useEffect(() => {
    // A failure stays until it was read.
    if (notice.tone === "bad") return;
    const timer = setTimeout(() => dismiss(notice.id), 8000);
    return () => clearTimeout(timer);
  }, [notice]);
  return (
    <div className={`${styles.notice} ${styles[notice.tone]}`}>
      <span>{notice.text}</span>
      <Button look="quiet" aria-label="Dismiss" onPress={() => dismiss(notice.id)}>
        <Cross />
      </Button>
    </div>
  );
}

/** The place where reports appear; the frame has one. */
export function Notices() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => notices,
  );
  return (
    <div className={styles.notices} role="status" aria-live="polite">
      {shown.map((notice) => (
        <One key={notice.id} notice={notice} />
      ))}
    </div>
  );
}
