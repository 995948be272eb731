import styles from "./Progress.module.css";
import type { Tone } from "./status";

/** Progress as a bar and a number, in percent. */
export function Progress({ percent, tone }: { percent: number; tone: Tone }) {
  const value = Math.max(0, Math.min(100, Math.round(percent)));
  return (
    <span className={styles.progress}>
      <span className={styles.track} aria-hidden>
        <span className={`${styles.fill} ${styles[tone]}`} style={{ width: `${value}%` }} />
      </span>
      <span className={styles.number}>{value} %</span>
    </span>
  );
}

/** Counts by tone as one bar, in the given order. */
export function Shares({
  shares,
  label,
}: {
  shares: { tone: Tone; count: number; word: string }[];
  label: string;
}) {
  const total = shares.reduce((sum, share) => sum + share.count, 0);
  const text = shares
    .filter((share) => share.count > 0)
    .map((share) => `${share.count.toLocaleString("en")} ${share.word}`)
    .join(", ");
  return (
    <span className={styles.shares} role="img" aria-label={`${label}: ${text}`} title={text}>
      {shares.map(
        (share) =>
          share.count > 0 && (
            <span
              key={share.word}
              className={`${styles.fill} ${styles[share.tone]}`}
              style={{ width: `${(share.count / total) * 100}%` }}
            />
          ),
      )}
    </span>
  );
}
