import { useMemo } from "react";
import { CopyButton } from "../ui/CopyButton";
import { Section } from "../ui/Section";
import styles from "./definition.module.css";
import { pieces } from "./highlight";

/** Pieces beyond these are shown without colours: a page of a million elements would not scroll. */
const MOST = 8000;

/** A definition as JSON with colours for keys, texts and expressions. */
export function Definition({ definition }: { definition: unknown }) {
  const text = useMemo(() => JSON.stringify(definition, null, 2), [definition]);
  const found = useMemo(() => pieces(text), [text]);
  const rest = found.slice(MOST);
  return (
    <Section
      title="Definition"
      actions={
        <CopyButton text={text} what="the definition">
          Copy
        </CopyButton>
      }
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by keyboard */}
      <section className={styles.code} tabIndex={0} aria-label="Definition as JSON">
        <pre>
          {found.slice(0, MOST).map((piece, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: pieces of one text have no other identity
            <span key={index} className={styles[piece.kind]}>
              {piece.text}
            </span>
          ))}
          {rest.map((piece) => piece.text).join("")}
        </pre>
      </section>
    </Section>
  );
}
