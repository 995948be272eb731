import type { Task } from "../api/types";
import * as icons from "./icons";
import styles from "./Status.module.css";
import { lookOf, lookOfTask, type StatusLook } from "./status";

const ICONS = {
  cross: icons.CircleCross,
  check: icons.CircleCheck,
  half: icons.Half,
  circle: icons.Circle,
  hourglass: icons.Hourglass,
  hand: icons.Hand,
  warning: icons.Warning,
  dash: icons.Dash,
  slash: icons.Slash,
} as const;

/** A status as icon, word and colour; `iconOnly` keeps the word for screen readers and as the tooltip. */
export function StatusLabel({ look, iconOnly = false }: { look: StatusLook; iconOnly?: boolean }) {
  const Icon = ICONS[look.icon];
  return (
    <span className={`${styles.status} ${styles[look.tone]}`} title={iconOnly ? look.word : undefined}>
      <Icon />
      <span className={iconOnly ? "visually-hidden" : undefined}>{look.word}</span>
    </span>
  );
}

/** The status of a sub-task or attempt. */
export function Status({ status, iconOnly }: { status: string; iconOnly?: boolean }) {
  return <StatusLabel look={lookOf(status)} iconOnly={iconOnly ?? false} />;
}

/** The status of a task, with what became of a failure. */
export function TaskStatus({ task }: { task: Pick<Task, "status" | "resolutionStatus" | "waitingFor"> }) {
  return <StatusLabel look={lookOfTask(task)} />;
}
