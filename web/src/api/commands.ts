/** What the page shows and does, as commands for a terminal. */
import type { Filters } from "../tasks/filters";
import { queryString } from "./query";

/** A word of a POSIX shell that means `text`, whatever is in it. */
export function shellWord(text: string): string {
  // A line break in single quotes is one; NUL cannot be in an argument at all.
  const clean = text.replaceAll("\0", "");
  return /^[\w@%+=:,./-]+$/.test(clean) ? clean : `'${clean.replaceAll("'", "'\\''")}'`;
}

const words = (...parts: (string | false | undefined)[]): string =>
  parts
    .filter((part): part is string => typeof part === "string")
    .map(shellWord)
    .join(" ");

const flag = (name: string, value: string | undefined): string[] => (value ? [name, value] : []);

function list(filters: Filters): string {
  const status = [
    ...filters.status.map((each) => each.toLowerCase()),
    ...(filters.open ? ["open-failures"] : []),
  ];
  return words(
    ...["longhaul", "task", "list"],
    ...flag("--status", status.join(",")),
    ...flag("--name", filters.name),
    ...flag("--type", filters.type),
    ...flag("--resource-type", filters.resourceType),
    ...flag("--resource-id", filters.resourceId),
    ...filters.labels.flatMap((label) => ["--label", label]),
    ...flag("--completed-after", filters.ended),
    ...(filters.orderBy === "creationTimestamp" ? [] : ["--order-by", filters.orderBy]),
    ...(filters.orderBy === "creationTimestamp" && !filters.ascending
      ? []
      : [filters.ascending ? "--asc" : "--desc"]),
    ...(filters.page > 1 ? ["--page", String(filters.page)] : []),
    ...["--page-size", "100"],
  );
}

const FLAGS: Record<string, string> = { notDone: "not-done", skipped: "skip" };

/** Command lines of `longhaul` for what the page shows and does. */
export const commandLine = {
  list,
  get: (id: string) => words("longhaul", "task", "get", id),
  why: (id: string) => words("longhaul", "task", "why", id),
  logs: (id: string, subTask?: string) =>
    words("longhaul", "task", "logs", id, ...flag("--sub-task", subTask)),
  retry: (id: string, reason: string) => words("longhaul", "task", "retry", id, ...flag("--reason", reason)),
  cancel: (id: string, reason: string) =>
    words("longhaul", "task", "cancel", id, ...flag("--reason", reason)),
  skip: (id: string, subTask: string, reason: string) =>
    words("longhaul", "task", "skip", id, subTask, ...flag("--reason", reason)),
  release: (id: string, reason: string) =>
    words("longhaul", "lock", "release", id, ...flag("--reason", reason)),
  /** `about` has the sub-tasks, or is "all"; `outcome` is the API's word, or undefined to mark the task. */
  resolve: (id: string, about: string[] | "all", outcome: string | undefined, reason: string) =>
    words(
      ...["longhaul", "task", "resolve", id],
      ...(about === "all" ? ["--all"] : about.flatMap((name) => ["--sub-task", name])),
      ...(outcome ? [`--${FLAGS[outcome] ?? outcome}`] : []),
      ...flag("--reason", reason),
    ),
};

/** A request to the API as a `curl` command; the credential stays in a variable of the shell. */
export function curl(method: string, path: string, query: object = {}, body?: unknown): string {
  const params = queryString(query);
  const url = location.origin + path + (params ? `?${params}` : "");
  const parts = ["curl -sS", '-H "Authorization: Bearer $LONGHAUL_TOKEN"'];
  if (method !== "GET") parts.push(`-X ${method}`);
  if (body !== undefined)
    parts.push(`-H 'Content-Type: application/json' -d ${shellWord(JSON.stringify(body))}`);
  return [...parts, shellWord(url)].join(" ");
}
