import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { useSearchParams } from "wouter";
import type { LogLine, Task } from "../api/types";
import { Button } from "../ui/Button";
import { Empty, ErrorBox } from "../ui/ErrorBox";
import { Download } from "../ui/icons";
import { hasEnded } from "../ui/status";
import { plain } from "../ui/text";
import { exact } from "../ui/time";
import { runsOf } from "./ansi";
import styles from "./Logs.module.css";
import { allSteps } from "./steps";
import { useLogs } from "./useLogs";

/** Names of steps offered for choice; a fan-out may have thousands. */
const MOST_NAMES = 200;

/** What the task's steps wrote: what was before and what comes, with search, links to lines, and a download. */
export function LogsTab({ task }: { task: Task }) {
  const [params, setParams] = useSearchParams();
  const step = params.get("step") ?? "";
  const marked = Number(params.get("line") ?? 0);
  const ended = hasEnded(task.status);
  const [follow, setFollow] = useState(!ended && marked === 0);
  const [text, setText] = useState("");
  const log = useLogs(task.id, step, follow && !ended);
  const needle = text.toLowerCase();
  const lines = useMemo(
    () => (needle ? log.lines.filter((line) => line.text.toLowerCase().includes(needle)) : log.lines),
    [log.lines, needle],
  );
  const set = (name: string, value: string) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        if (value) next.set(name, value);
        else next.delete(name);
        return next;
      },
      { replace: true },
    );
  const names = useMemo(() => allSteps(task.subTasks ?? []).slice(0, MOST_NAMES), [task.subTasks]);
  return (
    <>
      <div className={styles.tools}>
        <input
          type="search"
          aria-label="Search the lines"
          placeholder="Search the lines…"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <select aria-label="Step" value={step} onChange={(event) => set("step", event.target.value)}>
          <option value="">All steps</option>
          {step && !names.some(({ name }) => name === step) && <option value={step}>{plain(step)}</option>}
          {names.map(({ name }) => (
            <option key={name} value={name}>
              {plain(name)}
            </option>
          ))}
        </select>
        {!ended && (
          <label className={styles.follow}>
            <input type="checkbox" checked={follow} onChange={(event) => setFollow(event.target.checked)} />
            Follow
          </label>
        )}
        <span className={styles.count} aria-live="polite">
          {needle && `${lines.length.toLocaleString("en")} of `}
          {log.lines.length.toLocaleString("en")} lines{log.reading && !follow && ", reading…"}
        </span>
        <Button look="quiet" isDisabled={lines.length === 0} onPress={() => download(task.id, lines)}>
          <Download />
          Download
        </Button>
      </div>
      {log.error !== undefined && <ErrorBox error={log.error} />}
      {log.cut && (
        <p>
          The page keeps {log.lines.length.toLocaleString("en")} lines. Choose a step, or use{" "}
          <code>longhaul task logs</code>, to see those behind them.
        </p>
      )}
      {lines.length > 0 ? (
        <Lines
          lines={lines}
          needle={needle}
          follow={follow}
          marked={marked}
          onMark={(n) => set("line", String(n))}
        />
      ) : (
        !log.reading && <Empty title={needle ? "No line has this text." : "Nothing was written."} />
      )}
    </>
  );
}

interface LinesProps {
  lines: LogLine[];
  needle: string;
  follow: boolean;
  marked: number;
  onMark: (line: number) => void;
}

function Lines({ lines, needle, follow, marked, onMark }: LinesProps) {
  const frame = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => frame.current,
    estimateSize: () => 18,
    overscan: 30,
  });
  const count = lines.length;
  const shown = useRef(0);
  useEffect(() => {
    const first = shown.current === 0;
    shown.current = count;
    const target = marked > 0 ? lines.findIndex((line) => line.number === marked) : -1;
    if (first && target >= 0) virtual.scrollToIndex(target, { align: "center" });
    else if (follow) virtual.scrollToIndex(count - 1);
  }, [count, follow, marked, lines, virtual]);
  const steps = new Set(lines.slice(0, 200).map((line) => line.subTask)).size;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by keyboard
    <div ref={frame} className={styles.lines} tabIndex={0} role="log" aria-label="Lines" aria-live="off">
      <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map((item) => {
          const line = lines[item.index];
          if (!line) return null;
          return (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              className={`${styles.line} ${line.number === marked ? styles.marked : ""}`}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <button
                type="button"
                className={styles.number}
                title={`${exact(Date.parse(line.timestamp))}: link to this line`}
                onClick={() => onMark(line.number)}
              >
                {line.number}
              </button>
              <span className={styles.at}>{line.timestamp.slice(11, 23)}</span>
              {steps > 1 && <bdi className={styles.step}>{plain(line.subTask)}</bdi>}
              <bdi className={line.stream === "stderr" ? styles.stderr : styles.text}>
                <Runs text={line.text} needle={needle} />
              </bdi>
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** A line with its colours; while it is searched, with what was found instead. */
function Runs({ text, needle }: { text: string; needle: string }) {
  const runs = runsOf(text);
  if (!needle) {
    let at = 0;
    return runs.map((run) => {
      at += run.text.length;
      const color = run.color === undefined ? "" : (styles[`color${run.color}`] ?? "");
      return (
        <span key={at} className={`${color} ${run.bold ? styles.bold : ""}`}>
          {run.text}
        </span>
      );
    });
  }
  const all = runs.map((run) => run.text).join("");
  const at = all.toLowerCase().indexOf(needle);
  if (at < 0) return all;
  return (
    <>
      {all.slice(0, at)}
      <mark>{all.slice(at, at + needle.length)}</mark>
      {all.slice(at + needle.length)}
    </>
  );
}

function download(id: string, lines: LogLine[]): void {
  const text = lines.map((line) => `${line.timestamp} ${line.subTask} ${line.stream} ${line.text}\n`);
  const url = URL.createObjectURL(new Blob(text, { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `longhaul-${id}.log`;
  link.click();
  URL.revokeObjectURL(url);
}
