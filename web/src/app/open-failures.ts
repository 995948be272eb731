import { useQuery } from "@tanstack/react-query";
import { api, must } from "../api/client";
import { useFeedRefresh } from "../feed/FeedProvider";

/** How many tasks failed and were not resolved; undefined until it is known. Follows the feed. */
export function useOpenFailures(): number | undefined {
  useFeedRefresh(["count", "open"], 3000);
  return useQuery({
    queryKey: ["count", "open"],
    queryFn: () =>
      must(api.GET("/v1/tasks", { params: { query: { openFailures: true, pageSize: 1, view: "summary" } } })),
    select: (page) => page.pageMetadata.totalElements,
  }).data;
}
