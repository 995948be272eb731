import type { ComponentType } from "react";
import type { Role } from "../api/types";
import { Cluster, Flow, Gear, Home, List, Padlock, People, Scroll, Server } from "../ui/icons";

/** A page in the navigation. */
export interface NavEntry {
  path: string;
  label: string;
  icon: ComponentType<{ size?: number }>;
  /** The key that follows `g` to go there. */
  key: string;
  /** The least role that may see it; VIEWER unless given. */
  role?: Role;
}

/** The pages, in the order of the navigation. */
export const NAV: NavEntry[] = [
  { path: "/", label: "Overview", icon: Home, key: "o" },
  { path: "/tasks", label: "Tasks", icon: List, key: "t" },
  { path: "/workflows", label: "Workflows", icon: Flow, key: "w" },
  { path: "/workers", label: "Workers", icon: Cluster, key: "q" },
  { path: "/locks", label: "Locks", icon: Padlock, key: "l" },
  { path: "/nodes", label: "Nodes", icon: Server, key: "n" },
  { path: "/audit", label: "Audit", icon: Scroll, key: "a", role: "ADMIN" },
  { path: "/users", label: "Users", icon: People, key: "u", role: "ADMIN" },
  { path: "/settings", label: "Settings", icon: Gear, key: "s" },
];
