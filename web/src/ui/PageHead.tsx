import { type ReactNode, useEffect } from "react";
import styles from "./PageHead.module.css";
import { plain } from "./text";

interface Props {
  title: string;
  /** Stands before the title, such as a status. */
  before?: ReactNode;
  /** Stands in a line below the title. */
  facts?: ReactNode;
  /** Buttons at the right. */
  actions?: ReactNode;
}

/** The head of a page: its title, which becomes the title of the tab too, with facts and actions. */
export function PageHead({ title, before, facts, actions }: Props) {
  useEffect(() => {
    document.title = `${plain(title)} · Longhaul`;
  }, [title]);
  return (
    <header className={styles.head}>
      <div className={styles.texts}>
        <h1 className={styles.title}>
          <bdi>{plain(title)}</bdi>
        </h1>
        {(before || facts) && (
          <div className={styles.facts}>
            {before}
            {facts}
          </div>
        )}
      </div>
      {actions && <div className={styles.actions}>{actions}</div>}
    </header>
  );
}
