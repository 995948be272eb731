import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, must } from "../api/client";
import { useFeed, useFeedRefresh } from "../feed/FeedProvider";
import type { Change } from "../feed/messages";
import { type Filters, toQuery, writeFilters } from "./filters";
import { apply, type LivePage, settled } from "./live";

/** The most changes that are kept while a page is being read. */
const MOST_EARLY = 5000;

/** One page of the list, live: what is shown, the exact total, and how to show what is new. */
export function useTaskList(filters: Filters) {
  const key = writeFilters(filters).toString();
  const query = useQuery({
    queryKey: ["tasks", key],
    queryFn: ({ signal }) =>
      must(api.GET("/v1/tasks", { params: { query: toQuery(filters, Date.now()) }, signal })),
    placeholderData: keepPreviousData,
    staleTime: 0,
  });
  const total = useTotal(filters, query.data?.pageMetadata.totalElements);
  const [page, setPage] = useState<LivePage>(() => settled([]));
  // Changes that arrive while the page is on its way may be newer than what it will bring.
  const [early] = useState<{ changes: Change[] }>(() => ({ changes: [] }));
  const { data, isFetching, isPlaceholderData } = query;

  // biome-ignore lint/correctness/useExhaustiveDependencies: only a page that was read anew replaces the one shown
  useEffect(() => {
    if (!data || isPlaceholderData) return;
    setPage(apply(settled(data.elements), early.changes, filters, Date.now()));
    early.changes = [];
  }, [data, isPlaceholderData]);
  useFeed({
    changes: (changes) => {
      if (isFetching || !data) early.changes = [...early.changes, ...changes].slice(-MOST_EARLY);
      setPage((before) => apply(before, changes, filters, Date.now()));
    },
    anew: () => undefined,
  });
  return { query, page, total, refresh: () => void query.refetch() };
}

/** How many tasks match, followed as tasks change: asked at most every two seconds, and only when something changed. */
function useTotal(filters: Filters, read: number | undefined): number | undefined {
  const key = [
    "count",
    writeFilters({ ...filters, page: 1, orderBy: "creationTimestamp", ascending: false }).toString(),
  ];
  useFeedRefresh(key, 2000);
  const query = useQuery({
    queryKey: key,
    enabled: read !== undefined,
    initialData: read,
    queryFn: async () => {
      const query = { ...toQuery({ ...filters, page: 1 }, Date.now()), pageSize: 1 };
      return (await must(api.GET("/v1/tasks", { params: { query } }))).pageMetadata.totalElements;
    },
  });
  return query.data ?? read;
}
