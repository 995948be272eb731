/** Command lines of `longhaul` for workflows, workers, locks, and the administration of a server. */
import { shellWord } from "./commands";

const line = (...parts: (string | false | undefined)[]): string =>
  ["longhaul", ...parts.filter((part): part is string => typeof part === "string").map(shellWord)].join(" ");

const flag = (name: string, value: string | undefined): string[] => (value ? [name, value] : []);

export const adminLine = {
  workflows: () => line("workflow", "list"),
  workflow: (name: string, version: number | undefined) =>
    line("workflow", "get", name, ...flag("--version", version?.toString())),
  /** The input is given on standard input: secrets do not belong on a command line. */
  start: (workflow: string, version: number | undefined, name: string, labels: string[], notBefore: string) =>
    line(
      ...["task", "start", workflow, "--input", "-"],
      ...flag("--version", version?.toString()),
      ...flag("--name", name),
      ...labels.flatMap((label) => ["--label", label]),
      ...flag("--not-before", notBefore),
    ),
  workers: () => line("worker", "list"),
  queues: () => line("queue", "list"),
  pause: (queue: string) => line("queue", "pause", queue),
  resume: (queue: string) => line("queue", "resume", queue),
  limit: (queue: string, maxRunning: string, rate: string, create: boolean) =>
    line(
      ...["queue", "set", queue, "--max-running", maxRunning || "none", "--rate", rate || "none"],
      create && "--create",
    ),
  locks: (type: string, id: string) =>
    line("lock", "list", ...flag("--resource-type", type), ...flag("--resource-id", id)),
  nodes: () => line("node", "list"),
  audit: (filters: { user: string; action: string; target: string; outcome: string; since: string }) =>
    line(
      "audit",
      ...flag("--user", filters.user),
      ...flag("--action", filters.action),
      ...flag("--target", filters.target),
      ...flag("--since", filters.since),
      filters.outcome === "REFUSED" && "--refused",
      filters.outcome === "ACCEPTED" && "--accepted",
    ),
  users: () => line("user", "list"),
  sessions: () => line("session", "list"),
};
