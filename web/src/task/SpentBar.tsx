import type { Attempt, Task } from "../api/types";
import { Shares } from "../ui/Progress";
import { hasEnded, type Tone } from "../ui/status";
import { duration } from "../ui/time";
import styles from "./task.module.css";
import { type Spent, spentOf } from "./timeline";

const PARTS: [keyof Spent, string, Tone][] = [
  ["before", "before the first step", "grey"],
  ["running", "running", "run"],
  ["between", "between attempts", "grey"],
  ["person", "until somebody decided", "warn"],
];

/** A smaller part of the whole is left out. */
const NOTABLE = 0.005;

/** Where the time of an ended task went. */
export function SpentBar({ task, attempts }: { task: Task; attempts: Attempt[] }) {
  if (!hasEnded(task.status) || !task.completionTimestamp || attempts.length === 0) return null;
  const spent = spentOf(attempts, Date.parse(task.creationTimestamp), Date.parse(task.completionTimestamp));
  const whole = Object.values(spent).reduce((sum, part) => sum + part, 0);
  const parts = PARTS.filter(([part]) => spent[part] > whole * NOTABLE);
  // A task that did nothing but run needs no bar that says so.
  if (parts.length < 2) return null;
  return (
    <div className={styles.spent}>
      <Shares
        label="Where the time went, in milliseconds"
        shares={parts.map(([part, word, tone]) => ({ tone, count: spent[part], word }))}
      />
      <div className={styles.legend}>
        {parts.map(([part, word, tone]) => (
          <span key={part} className={styles[tone]}>
            {duration(spent[part])} {word}
          </span>
        ))}
      </div>
    </div>
  );
}
