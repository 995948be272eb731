import { useState } from "react";
import { commandLine } from "../api/commands";
import type { Task } from "../api/types";
import { useMay } from "../app/session-context";
import { refusal } from "../task/verbs";
import { Button } from "../ui/Button";
import { copyText } from "../ui/CopyButton";
import { BulkDialog, type BulkVerb } from "./BulkDialog";
import styles from "./tasks.module.css";

const VERBS: [BulkVerb, string][] = [
  ["retry", "Retry"],
  ["cancel", "Cancel"],
  ["resolve", "Resolve"],
];

/** What can be done with the selected tasks, and with how many of them. */
export function Bulk({ tasks, onClear }: { tasks: Task[]; onClear: () => void }) {
  const [asked, setAsked] = useState<{ verb: BulkVerb; tasks: Task[] }>();
  const operator = useMay("OPERATOR");
  return (
    <section className={styles.bulk} aria-label="Selected tasks">
      <span>{tasks.length} selected</span>
      {operator &&
        VERBS.map(([verb, word]) => {
          const able = tasks.filter((task) => !refusal(verb, task));
          return (
            <Button
              key={verb}
              refused={able.length === 0 ? `None of them: ${refusal(verb, tasks[0] as Task)}` : undefined}
              onPress={() => setAsked({ verb, tasks: able })}
            >
              {word} ({able.length} can)
            </Button>
          );
        })}
      <Button
        look="quiet"
        onPress={() =>
          void copyText(tasks.map((task) => commandLine.get(task.id)).join("\n"), "the command lines")
        }
      >
        Copy as CLI
      </Button>
      <Button look="quiet" onPress={onClear}>
        Clear
      </Button>
      {/* Its tasks are those of the moment when it was asked for: they change status while it works. */}
      {asked && <BulkDialog {...asked} onClose={() => setAsked(undefined)} />}
    </section>
  );
}
