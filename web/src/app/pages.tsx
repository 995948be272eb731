/** Pages that are loaded when they are opened, so that the first load stays small. */
import { type ComponentType, lazy } from "react";
import type { RouteComponentProps } from "wouter";

type Page = ComponentType<RouteComponentProps<{ name?: string }>>;

const WorkflowsPage = lazy(() =>
  import("../workflows/WorkflowsPage").then((module) => ({ default: module.WorkflowsPage })),
);
const WorkflowPage = lazy(() =>
  import("../workflows/WorkflowPage").then((module) => ({ default: module.WorkflowPage })),
);
const StartPage = lazy(() =>
  import("../workflows/StartPage").then((module) => ({ default: module.StartPage })),
);
const WorkersPage = lazy(() =>
  import("../workers/WorkersPage").then((module) => ({ default: module.WorkersPage })),
);
const LocksPage = lazy(() => import("../locks/LocksPage").then((module) => ({ default: module.LocksPage })));
const NodesPage = lazy(() => import("../nodes/NodesPage").then((module) => ({ default: module.NodesPage })));

/** Addresses and their pages. */
export const PAGES: [string, Page][] = [
  ["/workflows", WorkflowsPage],
  ["/workflows/:name", ({ params: { name = "" } }) => <WorkflowPage key={name} name={name} />],
  ["/workflows/:name/start", ({ params: { name = "" } }) => <StartPage key={name} name={name} />],
  ["/workers", WorkersPage],
  ["/locks", LocksPage],
  ["/nodes", NodesPage],
];
