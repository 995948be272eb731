import { useQuery } from "@tanstack/react-query";
import { api, must } from "../api/client";
import { useFeedRefresh } from "../feed/FeedProvider";

/** A worker that falls silent is no change of a task, so that the feed does not tell: it is asked for, in milliseconds. */
const SILENCE = 10_000;

/** The workers heard of lately. */
export function useWorkers() {
  useFeedRefresh(["workers"], 2000);
  return useQuery({
    queryKey: ["workers"],
    queryFn: () => must(api.GET("/v1/workers")),
    select: (page) => page.elements,
    refetchInterval: SILENCE,
  });
}

/** The queues with what waits in them and their limits. */
export function useQueues() {
  useFeedRefresh(["queues"], 2000);
  return useQuery({
    queryKey: ["queues"],
    queryFn: () => must(api.GET("/v1/queues")),
    select: (page) => page.elements,
    refetchInterval: SILENCE,
  });
}
