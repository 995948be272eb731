/** Pages that are loaded when they are opened, so that the first load stays small. */
import { type ComponentType, lazy, type ReactNode } from "react";
import type { RouteComponentProps } from "wouter";
import { Empty } from "../ui/ErrorBox";
import { useMay } from "./session-context";

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
const AuditPage = lazy(() => import("../audit/AuditPage").then((module) => ({ default: module.AuditPage })));
const UsersPage = lazy(() => import("../users/UsersPage").then((module) => ({ default: module.UsersPage })));
const UserPage = lazy(() => import("../users/UserPage").then((module) => ({ default: module.UserPage })));
const SettingsPage = lazy(() =>
  import("../settings/SettingsPage").then((module) => ({ default: module.SettingsPage })),
);

/** A page for administrators; others who come to its address are told so. */
function ForAdmin({ children }: { children: ReactNode }) {
  if (useMay("ADMIN")) return children;
  return (
    <Empty title="Your role does not allow this page to be seen.">
      <p>It needs the role ADMIN.</p>
    </Empty>
  );
}

/** Addresses and their pages. */
export const PAGES: [string, Page][] = [
  ["/workflows", WorkflowsPage],
  ["/workflows/:name", ({ params: { name = "" } }) => <WorkflowPage key={name} name={name} />],
  ["/workflows/:name/start", ({ params: { name = "" } }) => <StartPage key={name} name={name} />],
  ["/workers", WorkersPage],
  ["/locks", LocksPage],
  ["/nodes", NodesPage],
  [
    "/audit",
    () => (
      <ForAdmin>
        <AuditPage />
      </ForAdmin>
    ),
  ],
  [
    "/users",
    () => (
      <ForAdmin>
        <UsersPage />
      </ForAdmin>
    ),
  ],
  [
    "/users/:name",
    ({ params: { name = "" } }) => (
      <ForAdmin>
        <UserPage key={name} name={name} />
      </ForAdmin>
    ),
  ],
  ["/settings", SettingsPage],
];
