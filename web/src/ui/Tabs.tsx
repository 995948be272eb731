import { Link } from "wouter";
import styles from "./Tabs.module.css";

interface Props {
  label: string;
  /** Each a name in the address, and its words. */
  tabs: [string, string][];
  current: string;
  hrefOf: (name: string) => string;
}

/** The parts of a page, of which the address names one; the first is shown for any other name. */
export function Tabs({ label, tabs, current, hrefOf }: Props) {
  const shown = tabs.find(([name]) => name === current)?.[0] ?? tabs[0]?.[0];
  return (
    <nav className={styles.tabs} aria-label={label}>
      {tabs.map(([name, words]) => (
        <Link
          key={name}
          href={hrefOf(name)}
          className={styles.tab}
          aria-current={name === shown ? "true" : undefined}
        >
          {words}
        </Link>
      ))}
    </nav>
  );
}
