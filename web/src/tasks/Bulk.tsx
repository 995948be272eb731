import { commandLine } from "../api/commands";
import type { Task } from "../api/types";
import { Button } from "../ui/Button";
import { copyText } from "../ui/CopyButton";
import styles from "./tasks.module.css";

/** What can be done with the selected tasks. */
export function Bulk({ tasks, onClear }: { tasks: Task[]; onClear: () => void }) {
  return (
    <div className={styles.bulk}>
      <span>{tasks.length} selected</span>
      <Button
        onPress={() =>
          void copyText(tasks.map((task) => commandLine.get(task.id)).join("\n"), "the command lines")
        }
      >
        Copy as CLI
      </Button>
      <Button look="quiet" onPress={onClear}>
        Clear
      </Button>
    </div>
  );
}
