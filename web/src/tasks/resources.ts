import type { Resource } from "../api/types";

/** Resources as one text: the one there is, or how many of which type. */
export function resourceText(resources: Resource[]): string {
  const first = resources[0];
  if (!first) return "";
  if (resources.length === 1) return `${first.type} ${first.fqdn ?? first.name ?? first.resourceId}`;
  const counts = new Map<string, number>();
  for (const { type } of resources) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].map(([type, count]) => `${count} ${type}`).join(", ");
}

/** The end of a task's id: ids that were made one after the other begin alike. */
export const shortId = (id: string): string => id.slice(-8);
