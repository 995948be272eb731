const TASK_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The page about what a call, by its `operationId`, was done to; undefined where there is none. */
export function hrefOfTarget(action: string, target: string): string | undefined {
  if (/Workflow$/.test(action)) return `/workflows/${encodeURIComponent(target)}`;
  if (/User$|ApiKey$|MyPassword$/.test(action)) return `/users/${encodeURIComponent(target)}`;
  if (/Queue$/.test(action)) return "/workers";
  return TASK_ID.test(target) ? `/tasks/${target}` : undefined;
}
