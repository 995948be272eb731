import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { api, must } from "../api/client";
import { useFeedRefresh } from "../feed/FeedProvider";
import { type Filters, readFilters, toQuery, writeFilters } from "./filters";
import styles from "./tasks.module.css";

/** Lists that are asked for again and again, as the filters of an address. */
const VIEWS: { label: string; search: string; counted?: boolean; alarm?: boolean }[] = [
  { label: "All", search: "" },
  { label: "Open failures", search: "open=1", counted: true, alarm: true },
  { label: "In progress", search: "status=IN_PROGRESS", counted: true },
  { label: "Pending", search: "status=PENDING", counted: true },
  { label: "Failed", search: "status=FAILED" },
  { label: "Successful", search: "status=SUCCESSFUL,COMPLETED_WITH_WARNING" },
  { label: "Cancelled", search: "status=CANCELLED" },
];

/** The count of tasks of a view; undefined until it is known. */
export function useCount(search: string, enabled = true): number | undefined {
  const key = ["count", search];
  useFeedRefresh(key, 3000);
  return useQuery({
    queryKey: key,
    enabled,
    queryFn: async () => {
      const query = { ...toQuery(readFilters(new URLSearchParams(search)), Date.now()), pageSize: 1 };
      return (await must(api.GET("/v1/tasks", { params: { query } }))).pageMetadata.totalElements;
    },
  }).data;
}

function View({ view, current }: { view: (typeof VIEWS)[number]; current: boolean }) {
  const count = useCount(view.search, view.counted === true);
  return (
    <Link
      href={`/tasks${view.search && `?${view.search}`}`}
      className={styles.view}
      aria-current={current ? "true" : undefined}
    >
      {view.label}
      {view.counted && count !== undefined && (
        <span className={view.alarm && count > 0 ? styles.alarm : styles.count}>
          {count.toLocaleString("en")}
        </span>
      )}
    </Link>
  );
}

/** The usual lists, with counts of what is under way or open. */
export function Views({ filters }: { filters: Filters }) {
  const usual = { ...filters, page: 1, orderBy: "creationTimestamp", ascending: false };
  const here = writeFilters(usual).toString();
  return (
    <nav className={styles.views} aria-label="Lists">
      {VIEWS.map((view) => {
        const own = writeFilters(readFilters(new URLSearchParams(view.search))).toString();
        return <View key={view.label} view={view} current={own === here} />;
      })}
    </nav>
  );
}
