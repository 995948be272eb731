import { Dialog } from "../ui/Dialog";
import styles from "./Help.module.css";
import { NAV } from "./nav";

const EVERYWHERE: [string, string][] = [
  ["/", "Filter tasks"],
  ["Ctrl K", "Commands"],
  ["?", "This help"],
  ["Esc", "Close, or one step back"],
];
const LIST: [string, string][] = [
  ["j", "Next row"],
  ["k", "Row before"],
  ["Enter or o", "Open the task"],
  ["x", "Select the row"],
  ["n", "Show what is new"],
  ["[ and ]", "Page before, next page"],
];
const TASK: [string, string][] = [
  ["j and k", "Next step, step before"],
  ["e", "Expand or fold the step"],
  ["r", "Retry"],
  ["c", "Cancel"],
  ["l", "Logs"],
];

function Section({ title, keys }: { title: string; keys: [string, string][] }) {
  return (
    <section>
      <h3>{title}</h3>
      <dl className={styles.keys}>
        {keys.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** The keys of the page. */
export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard" onClose={onClose} wide>
      <div className={styles.columns}>
        <Section title="Everywhere" keys={EVERYWHERE} />
        <Section title="Go to" keys={NAV.map((entry) => [`g ${entry.key}`, entry.label])} />
        <Section title="In the list of tasks" keys={LIST} />
        <Section title="On a task" keys={TASK} />
      </div>
    </Dialog>
  );
}
