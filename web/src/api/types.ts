/** Short names for the members of the API's document. */
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Task = Schemas["Task"];
export type SubTask = Schemas["SubTask"];
export type Attempt = Schemas["Attempt"];
export type Lock = Schemas["Lock"];
export type LogLine = Schemas["LogLine"];
export type TaskLog = Schemas["TaskLog"];
export type Queue = Schemas["Queue"];
export type Worker = Schemas["Worker"];
export type WaitingFor = Schemas["WaitingFor"];
export type TaskReasons = Schemas["TaskReasons"];
export type TaskReason = Schemas["TaskReason"];
export type TaskObstacle = Schemas["TaskObstacle"];
export type HistoryEntry = Schemas["TaskHistoryEntry"];
export type Resource = Schemas["Resource"];
export type Role = Schemas["Principal"]["role"];
export type Workflow = Schemas["Workflow"];
export type WorkflowSummary = Schemas["WorkflowSummary"];
export type QueueLimits = Schemas["QueueLimits"];
export type Node = Schemas["Node"];
export type AuditEntry = Schemas["AuditEntry"];
export type User = Schemas["User"];
export type UserSession = Schemas["Session"];
