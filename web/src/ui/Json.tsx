import { CopyButton } from "./CopyButton";
import styles from "./Json.module.css";

/** Longer documents are shown up to here; copying takes all. */
const MOST = 200_000;

/** A JSON document, indented, with a button that copies it. */
export function Json({ title, value }: { title: string; value: unknown }) {
  const text = JSON.stringify(value, null, 2) ?? "null";
  return (
    <section className={styles.section}>
      <div className={styles.head}>
        <h2>{title}</h2>
        <CopyButton text={text} what={title}>
          Copy
        </CopyButton>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by keyboard */}
      <section className={styles.json} tabIndex={0} aria-label={title}>
        <pre>{text.slice(0, MOST)}</pre>
      </section>
      {text.length > MOST && (
        <p>The first {MOST.toLocaleString("en")} characters are shown; a copy has all.</p>
      )}
    </section>
  );
}
