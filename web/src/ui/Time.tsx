import { useCallback, useSyncExternalStore } from "react";
import { usePreference } from "./preferences";
import { age, clock, duration, exact, relative } from "./time";

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for the whole page; a text that reads it renders only when the text itself changes. */
function onTick(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    if (!document.hidden) for (const each of [...listeners]) each();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** A text computed from the present, computed anew each second. */
export function useTicking(text: (now: number) => string): string {
  const snapshot = useCallback(() => text(Date.now()), [text]);
  return useSyncExternalStore(onTick, snapshot);
}

/** An instant in the form that the user chose, the exact one as its tooltip; `short` leaves out `ago`. */
export function Time({ at, short = false }: { at: string; short?: boolean }) {
  const style = usePreference("times");
  const instant = Date.parse(at);
  const label = useTicking(
    useCallback(
      (now: number) => {
        if (Number.isNaN(instant)) return at;
        if (style !== "relative") return clock(instant, style === "utc");
        return short && instant <= now ? age(now - instant) : relative(instant, now);
      },
      [instant, style, short, at],
    ),
  );
  return (
    <time dateTime={at} title={Number.isNaN(instant) ? undefined : exact(instant)}>
      {label}
    </time>
  );
}

/** A span between two instants; without an end it runs on until now. */
export function Span({ from, to }: { from: string; to?: string | undefined }) {
  const [start, end] = [Date.parse(from), to === undefined ? undefined : Date.parse(to)];
  const label = useTicking(
    useCallback(
      (now: number) => (end === undefined ? age(now - start) : duration(end - start)),
      [start, end],
    ),
  );
  return <span>{label}</span>;
}
