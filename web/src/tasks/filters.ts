/** Filters of the list of tasks: as the address holds them, as the API takes them, and as a test of one task. */
import type { paths } from "../api/schema";
import type { Task } from "../api/types";
import { canonical } from "../ui/status";

/** Query parameters of `GET /v1/tasks`. */
export type TaskQuery = NonNullable<paths["/v1/tasks"]["get"]["parameters"]["query"]>;
type StatusValue = NonNullable<TaskQuery["taskStatus"]>[number];

/** Which tasks are listed, in which order, and which page of them. */
export interface Filters {
  /** In capitals; none means all. */
  status: string[];
  /** Also, or only, failures that nobody resolved. */
  open: boolean;
  name: string;
  type: string;
  resourceId: string;
  resourceType: string;
  /** Each `name` or `name=value`; all must be there. */
  labels: string[];
  /** Ended within this span before now, such as `24h`; empty for any time. */
  ended: string;
  orderBy: string;
  ascending: boolean;
  /** From 1. */
  page: number;
}

/** Rows of a page. */
export const PAGE_SIZE = 100;

export const STATUSES = [
  "PENDING",
  "IN_PROGRESS",
  "SUCCESSFUL",
  "COMPLETED_WITH_WARNING",
  "FAILED",
  "CANCELLED",
  "SKIPPED",
];
const ORDERS = ["id", "name", "type", "status", "creationTimestamp", "completionTimestamp"];
const UNIT: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of a span such as `15m`, `24h` or `7d`; undefined for anything else. */
export function span(text: string): number | undefined {
  const match = /^(\d{1,5})([mhd])$/.exec(text);
  return match ? Number(match[1]) * (UNIT[match[2] ?? ""] ?? 0) : undefined;
}

/** The filters of an address; values that mean nothing count as not given. */
export function readFilters(params: URLSearchParams): Filters {
  const text = (name: string) => params.get(name)?.trim() ?? "";
  const order = text("order");
  const ended = text("ended");
  const page = Number(text("page"));
  const statuses = text("status").split(",").map(canonical);
  return {
    status: STATUSES.filter((status) => statuses.includes(status)),
    open: text("open") === "1",
    name: text("name"),
    type: text("type"),
    resourceId: text("resourceId"),
    resourceType: text("resourceType"),
    labels: [...new Set(params.getAll("label").map((label) => label.trim()))].filter(Boolean),
    ended: span(ended) === undefined ? "" : ended,
    orderBy: ORDERS.includes(order) ? order : "creationTimestamp",
    ascending: text("dir") === "asc",
    page: Number.isInteger(page) && page > 1 ? page : 1,
  };
}

/** The address's parameters for `filters`; what is as usual is left out. */
export function writeFilters(filters: Filters): URLSearchParams {
  const params = new URLSearchParams();
  const put = (name: string, value: string) => value && params.append(name, value);
  put("status", filters.status.join(","));
  put("open", filters.open ? "1" : "");
  put("name", filters.name);
  put("type", filters.type);
  put("resourceId", filters.resourceId);
  put("resourceType", filters.resourceType);
  for (const label of filters.labels) put("label", label);
  put("ended", filters.ended);
  put("order", filters.orderBy === "creationTimestamp" ? "" : filters.orderBy);
  put("dir", filters.ascending ? "asc" : "");
  put("page", filters.page > 1 ? String(filters.page) : "");
  return params;
}

/** The request for what `filters` say, at the instant `now`. */
export function toQuery(filters: Filters, now: number): TaskQuery {
  const ended = span(filters.ended);
  return {
    ...(filters.status.length > 0 ? { taskStatus: filters.status as StatusValue[] } : {}),
    ...(filters.open ? { openFailures: true } : {}),
    ...(filters.name ? { taskName: filters.name } : {}),
    ...(filters.type ? { taskType: filters.type } : {}),
    ...(filters.resourceId ? { resourceId: filters.resourceId } : {}),
    ...(filters.resourceType ? { resourceType: filters.resourceType } : {}),
    ...(filters.labels.length > 0 ? { label: filters.labels } : {}),
    ...(ended ? { completedAfter: now - ended } : {}),
    orderBy: filters.orderBy as NonNullable<TaskQuery["orderBy"]>,
    orderDirection: filters.ascending ? "ASC" : "DESC",
    pageNumber: filters.page,
    pageSize: PAGE_SIZE,
    view: "summary",
    include: ["all"],
  };
}

const same = (a: string | undefined, b: string) => (a ?? "").toLowerCase() === b.toLowerCase();
const COMPLETED = ["SUCCESSFUL", "COMPLETED_WITH_WARNING", "FAILED"];

function hasLabel(task: Task, label: string): boolean {
  const at = label.indexOf("=");
  const labels = (task.labels ?? {}) as Record<string, unknown>;
  const name = at < 0 ? label : label.slice(0, at);
  return Object.hasOwn(labels, name) && (at < 0 || labels[name] === label.slice(at + 1));
}

/** True when the server would list `task` under `filters`, at the instant `now`. */
export function matches(task: Task, filters: Filters, now: number): boolean {
  const status = canonical(task.status);
  const isOpen = status === "FAILED" && task.resolutionStatus !== "RESOLVED";
  const anyStatus = filters.status.length === 0 && !filters.open;
  if (!anyStatus && !filters.status.includes(status) && !(filters.open && isOpen)) return false;
  if (filters.name && !task.name.toLowerCase().includes(filters.name.toLowerCase())) return false;
  if (filters.type && !same(task.type, filters.type)) return false;
  const resources = task.resources ?? [];
  if (filters.resourceId && !resources.some((each) => same(each.resourceId, filters.resourceId)))
    return false;
  if (filters.resourceType && !resources.some((each) => same(each.type, filters.resourceType))) return false;
  if (!filters.labels.every((label) => hasLabel(task, label))) return false;
  const ended = span(filters.ended);
  if (ended === undefined) return true;
  return COMPLETED.includes(status) && Date.parse(task.completionTimestamp ?? "") > now - ended;
}
