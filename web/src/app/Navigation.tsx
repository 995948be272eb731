import { useState } from "react";
import { Link, useLocation } from "wouter";
import { Dialog } from "../ui/Dialog";
import { More } from "../ui/icons";
import styles from "./Navigation.module.css";
import { NAV, type NavEntry } from "./nav";
import { useOpenFailures } from "./open-failures";
import { useMay } from "./session-context";

/** How many pages the bar of a narrow window has room for, beside "More". */
const NARROW = 4;

function isCurrent(entry: NavEntry, path: string): boolean {
  return entry.path === "/" ? path === "/" : path === entry.path || path.startsWith(`${entry.path}/`);
}

/** The navigation: a row of words, icons with words below 900 px, a bar at the foot on a phone. */
export function Navigation() {
  const [path] = useLocation();
  const [more, setMore] = useState(false);
  const admin = useMay("ADMIN");
  const failures = useOpenFailures();
  const entries = NAV.filter((entry) => entry.role !== "ADMIN" || admin);
  const item = (entry: NavEntry, extra = "") => (
    <li key={entry.path} className={extra}>
      <Link
        href={entry.path}
        className={styles.link}
        aria-current={isCurrent(entry, path) ? "page" : undefined}
        onClick={() => setMore(false)}
      >
        <entry.icon />
        <span>{entry.label}</span>
        {entry.path === "/tasks" && failures !== undefined && failures > 0 && (
          <span className={styles.count} title={`${failures} failed and not resolved`}>
            {failures > 999 ? "999+" : failures}
            <span className="visually-hidden"> open failures</span>
          </span>
        )}
      </Link>
    </li>
  );
  return (
    <nav className={styles.nav} aria-label="Pages">
      <ul>
        {entries.map((entry, index) => item(entry, index >= NARROW ? styles.wideOnly : ""))}
        {entries.length > NARROW && (
          <li className={styles.narrowOnly}>
            <button type="button" className={styles.link} onClick={() => setMore(true)}>
              <More />
              <span>More</span>
            </button>
          </li>
        )}
      </ul>
      {more && (
        <Dialog title="Pages" onClose={() => setMore(false)}>
          <ul className={styles.all}>{entries.slice(NARROW).map((entry) => item(entry))}</ul>
        </Dialog>
      )}
    </nav>
  );
}
