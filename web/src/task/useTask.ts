import { useQuery } from "@tanstack/react-query";
import { api, must } from "../api/client";
import { useFeedRefresh } from "../feed/FeedProvider";

const at = (id: string) => ({ path: { id } });

/** The whole task, read again when the feed says that it changed; at most once a second. */
export function useTask(id: string) {
  useFeedRefresh(["task", id], 1000, id);
  return useQuery({
    queryKey: ["task", id, "task"],
    queryFn: () => must(api.GET("/v1/tasks/{id}", { params: { ...at(id), query: { include: ["all"] } } })),
  });
}

/** Why the task does not go on. What it waits for changes with other tasks, so every change counts, more rarely. */
export function useWhy(id: string, ended: boolean) {
  const key = ["task", id, "why"];
  useFeedRefresh(ended ? ["nothing"] : key, 5000);
  return useQuery({ queryKey: key, queryFn: () => must(api.GET("/v1/tasks/{id}/why", { params: at(id) })) });
}

/** Every execution of the task's sub-tasks. */
export function useAttempts(id: string) {
  return useQuery({
    queryKey: ["task", id, "attempts"],
    queryFn: () => must(api.GET("/v1/tasks/{id}/attempts", { params: at(id) })),
    select: (page) => page.elements,
  });
}

/** Who did what to the task. */
export function useHistory(id: string) {
  return useQuery({
    queryKey: ["task", id, "history"],
    queryFn: () => must(api.GET("/v1/tasks/{id}/history", { params: at(id) })),
    select: (page) => page.elements,
  });
}

/** What the task was started with, and what its sub-tasks gave. */
export function useInputAndOutputs(id: string) {
  return useQuery({
    queryKey: ["task", id, "values"],
    queryFn: () =>
      must(
        api.GET("/v1/tasks/{id}", {
          params: { ...at(id), query: { view: "summary", include: ["input", "outputs"] } },
        }),
      ),
  });
}

/** Locks on the task's resources, of this task and of others. */
export function useLocks(id: string, resources: { type: string; resourceId: string }[]) {
  const key = ["task", id, "locks"];
  useFeedRefresh(key, 5000);
  return useQuery({
    queryKey: key,
    enabled: resources.length > 0,
    queryFn: async () => {
      const pages = await Promise.all(
        resources
          .slice(0, 8)
          .map(({ type, resourceId }) =>
            must(api.GET("/v1/resources/locks", { params: { query: { resourceType: type, resourceId } } })),
          ),
      );
      return pages.flatMap((page) => page.elements);
    },
  });
}
