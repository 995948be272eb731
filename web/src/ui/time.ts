/** Instants and durations as texts. All are pure functions of their arguments. */

/** How instants are shown: before now, or as date and time of this machine or of UTC. */
export type TimeStyle = "relative" | "local" | "utc";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** A duration in at most two units, such as `1 h 5 min`; below a minute in seconds, below one with a decimal. */
export function duration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 10 * SECOND) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return two(ms, MINUTE, "min", SECOND, "s");
  if (ms < DAY) return two(ms, HOUR, "h", MINUTE, "min");
  return two(ms, DAY, "d", HOUR, "h");
}

function two(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeName}${rest > 0 ? ` ${rest} ${smallName}` : ""}`;
}

/** A span in its largest unit, for ages: `12 s`, `4 min`, `3 h`, `8 d`, `7 y`. */
export function age(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  if (ms < 2 * YEAR) return `${Math.floor(ms / DAY)} d`;
  return `${Math.floor(ms / YEAR)} y`;
}

/** An instant relative to `now`: `12 min ago`, `in 3 h`, `just now`. */
export function relative(instant: number, now: number): string {
  const ahead = instant - now;
  if (Math.abs(ahead) < SECOND) return "just now";
  return ahead > 0 ? `in ${age(ahead)}` : `${age(-ahead)} ago`;
}

const pad = (value: number, width = 2) => String(value).padStart(width, "0");

/** An instant as `2026-11-30 21:59:28`, of UTC (then with `Z`) or of this machine's zone. */
export function clock(instant: number, utc: boolean): string {
  const date = new Date(instant);
  if (Number.isNaN(instant) || Number.isNaN(date.getTime())) return "unknown";
  if (utc) return `${date.toISOString().slice(0, 19).replace("T", " ")}Z`;
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** An instant in full, for tooltips: this machine's zone and UTC. */
export function exact(instant: number): string {
  return `${clock(instant, false)} here, ${new Date(instant).toISOString()}`;
}
