/** Statuses as the page shows them: a word, an icon and a tone. What a status means is decided by the server. */
import type { Task } from "../api/types";

/** The tone of a status: red failed, amber waits for a person, blue runs, green is well, grey is over or not begun. */
export type Tone = "bad" | "warn" | "run" | "good" | "grey";

/** What is shown for a status. */
export interface StatusLook {
  word: string;
  tone: Tone;
  icon: "cross" | "check" | "half" | "circle" | "hourglass" | "hand" | "warning" | "dash" | "slash";
}

const LOOKS: Record<string, StatusLook> = {
  PENDING: { word: "Pending", tone: "grey", icon: "hourglass" },
  IN_PROGRESS: { word: "In progress", tone: "run", icon: "half" },
  SUCCESSFUL: { word: "Successful", tone: "good", icon: "check" },
  COMPLETED_WITH_WARNING: { word: "With warning", tone: "good", icon: "warning" },
  FAILED: { word: "Failed", tone: "bad", icon: "cross" },
  CANCELLED: { word: "Cancelled", tone: "grey", icon: "slash" },
  SKIPPED: { word: "Skipped", tone: "grey", icon: "dash" },
  NOT_APPLICABLE: { word: "Not applicable", tone: "grey", icon: "dash" },
  RUNNING: { word: "Running", tone: "run", icon: "half" },
  TIMED_OUT: { word: "Timed out", tone: "bad", icon: "cross" },
  LOST: { word: "Lost", tone: "bad", icon: "cross" },
  STOPPED: { word: "Stopped", tone: "grey", icon: "slash" },
};

/** A status in one spelling: workflows and servers choose between `In Progress` and `IN_PROGRESS`. */
export function canonical(status: string): string {
  return status
    .trim()
    .toUpperCase()
    .replace(/[\s-]+/g, "_");
}

/** The look of any status; one that this version does not know is shown as it came. */
export function lookOf(status: string): StatusLook {
  const key = canonical(status);
  return (Object.hasOwn(LOOKS, key) && LOOKS[key]) || { word: status, tone: "grey", icon: "circle" };
}

/** The look of a task: a failure that waits for a decision, or was resolved, is told apart from one that is open. */
export function lookOfTask(task: Pick<Task, "status" | "resolutionStatus" | "waitingFor">): StatusLook {
  const look = lookOf(task.status);
  if (canonical(task.status) !== "FAILED") return look;
  if (task.resolutionStatus === "RESOLVED") return { word: "Failed, resolved", tone: "grey", icon: "check" };
  if (task.waitingFor?.type === "DECISION") return { word: "Outcome unknown", tone: "warn", icon: "hand" };
  return look;
}

/** True when no further change comes unless somebody asks for one. */
export function hasEnded(status: string): boolean {
  return !["PENDING", "IN_PROGRESS", "RUNNING"].includes(canonical(status));
}
