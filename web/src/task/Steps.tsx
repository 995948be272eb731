import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useMemo, useRef, useState } from "react";
import type { Attempt, SubTask, Task } from "../api/types";
import { useHotkeys } from "../ui/hotkeys";
import { ChevronDown, ChevronRight } from "../ui/icons";
import { Shares } from "../ui/Progress";
import { Status } from "../ui/Status";
import { lookOf } from "../ui/status";
import { Span } from "../ui/Time";
import { plain } from "../ui/text";
import { duration } from "../ui/time";
import { Detail } from "./Detail";
import styles from "./Steps.module.css";
import { countsOf, type Row, rowsOf, type Toggled } from "./steps";
import { intervalOf, type Line, lineOf } from "./timeline";
import { useEndOrNow } from "./useEndOrNow";
import type { AskVerb } from "./verbs";

/** Beyond this many rows only those in view are in the document. */
const MANY = 150;

interface Props {
  task: Task;
  attempts: Attempt[];
  ask: AskVerb;
}

/** The steps of a task and its timeline: failures are open, what is done among many is folded. */
export function Steps({ task, attempts, ask }: Props) {
  const [toggled, setToggled] = useState<Toggled>(new Map());
  const rows = useMemo(() => rowsOf(task.subTasks ?? [], toggled), [task.subTasks, toggled]);
  const toggle = (row: Row) =>
    row.kind !== "detail" && setToggled((before) => new Map(before).set(row.key, !row.expanded));
  const end = useEndOrNow(task.completionTimestamp);
  const start = Date.parse(task.creationTimestamp);
  const line = useMemo(
    () =>
      lineOf(
        attempts.map((attempt) => intervalOf(attempt, end)),
        start,
        end,
      ),
    [attempts, start, end],
  );
  const byStep = useMemo(() => {
    const map = new Map<string, Attempt[]>();
    for (const attempt of attempts) map.set(attempt.subTask, [...(map.get(attempt.subTask) ?? []), attempt]);
    return map;
  }, [attempts]);
  const list = useRef<HTMLDivElement>(null);
  useStepKeys(list);
  if (rows.length === 0) return <p className={styles.none}>This task has no steps.</p>;
  const render = (row: Row) => (
    <StepRow
      key={row.key}
      {...{ row, task, line, ask }}
      attempts={row.kind === "group" ? NONE : (byStep.get(row.step.name) ?? NONE)}
      onToggle={() => toggle(row)}
    />
  );
  return (
    <div className={styles.frame}>
      <div className={styles.head}>
        <span>Step</span>
        <span className={styles.took}>Took</span>
        <span className={styles.axis}>
          <span>0</span>
          {line.folds.length > 0 && (
            <span>
              {line.folds.length === 1 ? "1 idle span folded" : `${line.folds.length} idle spans folded`}
            </span>
          )}
          <span>{duration(end - start)}</span>
        </span>
      </div>
      <div ref={list}>{rows.length > MANY ? <Virtual rows={rows} render={render} /> : rows.map(render)}</div>
    </div>
  );
}

const NONE: Attempt[] = [];

function Virtual({ rows, render }: { rows: Row[]; render: (row: Row) => React.ReactNode }) {
  const frame = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => 32,
    getItemKey: (index) => rows[index]?.key ?? index,
    overscan: 12,
  });
  return (
    <div ref={frame} className={styles.scroll} tabIndex={-1}>
      <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          return (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              className={styles.placed}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              {row && render(row)}
            </div>
          );
        })}
      </div>
    </div>
  );
}

interface RowProps {
  row: Row;
  task: Task;
  line: Line;
  attempts: Attempt[];
  ask: AskVerb;
  onToggle: () => void;
}

const StepRow = memo(function StepRow({ row, task, line, attempts, ask, onToggle }: RowProps) {
  const indent = { paddingLeft: 10 + row.depth * 20 };
  if (row.kind === "detail") {
    return (
      <div className={styles.detail} style={indent}>
        <Detail step={row.step} task={task} attempts={attempts} ask={ask} />
      </div>
    );
  }
  const name =
    row.kind === "group" ? `${row.count.toLocaleString("en")} ${lookOf(row.status).word}` : row.step.name;
  return (
    <button type="button" className={styles.row} aria-expanded={row.expanded} onClick={onToggle} data-step>
      <span className={styles.name} style={indent}>
        {row.expanded ? <ChevronDown size={12} /> : <ChevronRight size={12} />}
        <Status status={row.kind === "group" ? row.status : row.step.status} iconOnly />
        <bdi className={row.kind === "group" ? styles.group : styles.text} title={plain(name)}>
          {plain(name)}
        </bdi>
      </span>
      <span className={styles.took}>
        {row.kind === "step" && row.step.startTimestamp && (
          <Span from={row.step.startTimestamp} to={row.step.completionTimestamp} />
        )}
      </span>
      <span className={styles.line}>
        {row.kind === "step" && <Bars step={row.step} attempts={attempts} line={line} />}
      </span>
    </button>
  );
});

function Bars({ step, attempts, line }: { step: SubTask; attempts: Attempt[]; line: Line }) {
  const children = step.subTasks ?? [];
  if (children.length > 0) {
    const shares = countsOf(children).map(({ status, count }) => ({ ...lookOf(status), count }));
    return <Shares label={`${children.length} children`} shares={shares} />;
  }
  return (
    <>
      {line.folds.map((fold) => (
        <span key={fold.from} className={styles.fold} style={{ left: `${fold.at * 100}%` }} />
      ))}
      {attempts.map((attempt) => {
        const { from, to } = intervalOf(attempt, line.end);
        const [left, right] = [line.place(from), line.place(to)];
        return (
          <span
            key={attempt.number}
            className={`${styles.bar} ${styles[lookOf(attempt.status).tone]}`}
            style={{ left: `${left * 100}%`, width: `${(right - left) * 100}%` }}
            title={`Attempt ${attempt.number}: ${lookOf(attempt.status).word}, ${duration(to - from)}`}
          />
        );
      })}
    </>
  );
}

function useStepKeys(list: React.RefObject<HTMLDivElement | null>): void {
  const move = (by: number) => {
    const rows = [...(list.current?.querySelectorAll<HTMLElement>("[data-step]") ?? [])];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    rows[Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
  };
  useHotkeys({
    j: () => move(1),
    k: () => move(-1),
    e: () =>
      (document.activeElement as HTMLElement | null)?.matches("[data-step]") &&
      (document.activeElement as HTMLElement).click(),
  });
}
