import { useCallback, useSyncExternalStore } from "react";
import { useTicking } from "../ui/Time";
import { age } from "../ui/time";
import { useFeedHub } from "./FeedProvider";
import styles from "./Freshness.module.css";

/** A line that was heard within this time is live: bookmarks come every 15 seconds. */
const FRESH = 25_000;

/** How up to date the page is: live, stale for how long, or reconnecting. */
export function Freshness() {
  const hub = useFeedHub();
  const { state, heard } = useSyncExternalStore(hub.watch, hub.read);
  const label = useTicking(
    useCallback(
      (now: number) => {
        if (state === "connecting") return "Connecting…";
        if (state === "down") return `Reconnecting, ${age(now - heard)} old`;
        return now - heard <= FRESH ? "Live" : `Stale for ${age(now - heard)}`;
      },
      [state, heard],
    ),
  );
  const look = label === "Live" ? styles.live : state === "connecting" ? styles.connecting : styles.stale;
  return (
    <span className={`${styles.fresh} ${look}`} data-feed={state}>
      <span className={styles.dot} aria-hidden />
      {label}
    </span>
  );
}
