import { useQuery } from "@tanstack/react-query";
import { api, must } from "../api/client";
import type { Queue, Task } from "../api/types";
import { useFeedRefresh } from "../feed/FeedProvider";

/** Something that needs a person. */
export type Need =
  | { kind: "task"; key: string; since: string; task: Task }
  | { kind: "queue"; key: string; since: string; queue: Queue }
  | { kind: "node"; key: string; since: string; node: string }
  | { kind: "clock"; key: string; since: string };

/** Open failures shown on the overview; the list has all. */
const MOST = 12;

/** Queues and workers; they change without any task changing, so they are asked again while the page is shown. */
export function useQueues() {
  useFeedRefresh(["queues"], 3000);
  return useQuery({
    queryKey: ["queues"],
    refetchInterval: 15_000,
    queryFn: () => must(api.GET("/v1/queues")),
    select: (page) => page.elements,
  });
}

/** The workers that called lately. */
export function useWorkers() {
  return useQuery({
    queryKey: ["workers"],
    refetchInterval: 15_000,
    queryFn: () => must(api.GET("/v1/workers")),
    select: (page) => page.elements,
  });
}

/** What needs a person: decisions first, then queues without workers, then failures, the newest first. */
export function useNeeds() {
  useFeedRefresh(["open"], 2000);
  const open = useQuery({
    queryKey: ["open"],
    queryFn: () =>
      must(
        api.GET("/v1/tasks", {
          params: { query: { openFailures: true, view: "summary", include: ["all"], pageSize: MOST } },
        }),
      ),
  });
  const queues = useQueues();
  const nodes = useQuery({
    queryKey: ["nodes"],
    refetchInterval: 15_000,
    queryFn: () => must(api.GET("/v1/nodes")),
  });
  const clock = useQuery({
    queryKey: ["clock"],
    refetchInterval: 60_000,
    queryFn: () => must(api.GET("/v1/clock")),
  });
  const now = Date.now();
  const ago = (milliseconds: number) => new Date(now - milliseconds).toISOString();
  const needs: Need[] = [
    ...(open.data?.elements ?? []).map((task): Need => {
      const since = task.completionTimestamp ?? task.creationTimestamp;
      return { kind: "task", key: task.id, since, task };
    }),
    ...(queues.data ?? [])
      .filter((queue) => queue.waiting > 0 && queue.workers === 0)
      .map(
        (queue): Need => ({
          kind: "queue",
          key: `queue ${queue.name}`,
          since: ago(queue.oldestWaitMs),
          queue,
        }),
      ),
    ...(nodes.data?.elements ?? [])
      .filter((node) => node.state === "SILENT")
      .map(
        (node): Need => ({
          kind: "node",
          key: `node ${node.name}`,
          since: node.seenTimestamp,
          node: node.name,
        }),
      ),
    ...(clock.data?.doubted
      ? [{ kind: "clock", key: "clock", since: clock.data.livedTimestamp } as Need]
      : []),
  ];
  needs.sort((a, b) => rank(a) - rank(b) || Date.parse(b.since) - Date.parse(a.since));
  return {
    needs,
    total: open.data?.pageMetadata.totalElements,
    shown: open.data?.elements.length ?? 0,
    open,
  };
}

/** Nobody but a person can end a wait for a decision; a failure may have been seen already. */
function rank(need: Need): number {
  if (need.kind !== "task") return 1;
  return need.task.waitingFor?.type === "DECISION" ? 0 : 2;
}
