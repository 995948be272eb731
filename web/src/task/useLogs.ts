import { useEffect, useRef, useState } from "react";
import { api, must } from "../api/client";
import type { LogLine, TaskLog } from "../api/types";

/** Lines of one request, and the most that are kept in the page. */
const PAGE = 1000;
const MOST = 50_000;

/** What was read of a log. */
export interface Log {
  lines: LogLine[];
  /** True while more lines are on their way. */
  reading: boolean;
  /** True when there may be more lines behind the most that the page keeps. */
  cut: boolean;
  error: unknown;
}

/**
 * The lines of a task, or of one step: first all that there are, then, while `follow` is set, each as it is written,
 * without a gap between the two, as every request begins behind the last line of the one before.
 */
export function useLogs(id: string, subTask: string, follow: boolean): Log {
  const [log, setLog] = useState<Log>({ lines: [], reading: true, cut: false, error: undefined });
  const next = useRef({ of: "", after: 0, lines: [] as LogLine[] });
  useEffect(() => {
    const own = `${id} ${subTask}`;
    if (next.current.of !== own) next.current = { of: own, after: 0, lines: [] };
    const place = next.current;
    const stop = new AbortController();
    const read = async () => {
      let waits: boolean = false;
      while (!stop.signal.aborted) {
        const query = {
          after: place.after,
          limit: PAGE,
          ...(subTask ? { subTask } : {}),
          ...(waits ? { wait: "25s" } : {}),
        };
        const call = api.GET("/v1/tasks/{id}/logs", { params: { path: { id }, query }, signal: stop.signal });
        const page: TaskLog = await must(call);
        if (stop.signal.aborted) return;
        place.after = page.next;
        place.lines = place.lines.concat(page.lines);
        const cut = place.lines.length >= MOST;
        const behind = page.lines.length < PAGE;
        setLog({ lines: place.lines, reading: !behind && !cut, cut: cut && !behind, error: undefined });
        if (cut || (behind && !follow)) return;
        // A wait may end at once without a line: the server is then not asked again at once.
        if (waits && page.lines.length === 0) await pause(1500, stop.signal);
        waits = behind;
      }
    };
    setLog({ lines: place.lines, reading: true, cut: false, error: undefined });
    read().catch((error: unknown) => {
      if (!stop.signal.aborted) setLog({ lines: place.lines, reading: false, cut: false, error });
    });
    return () => stop.abort();
  }, [id, subTask, follow]);
  return log;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
