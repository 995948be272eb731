import type { ReactNode } from "react";
import { toApiError } from "../api/errors";
import styles from "./Box.module.css";
import { Prose } from "./Prose";

/** An error of a request: what happened, what to do, and the reference under which the server's log has it. */
export function ErrorBox({ error, children }: { error: unknown; children?: ReactNode }) {
  const { message, remediation, reference, code } = toApiError(error);
  return (
    <div role="alert" className={`${styles.box} ${styles.bad}`}>
      <p className={styles.title}>
        <Prose text={message} />
      </p>
      {remediation && (
        <p>
          <Prose text={remediation} />
        </p>
      )}
      <p className={styles.fine}>
        <code>{code}</code>
        {reference && (
          <>
            {" · reference "}
            <code>{reference}</code>
          </>
        )}
      </p>
      {children}
    </div>
  );
}

/** A remark that needs attention, without an error behind it. */
export function Remark({ tone = "grey", children }: { tone?: "grey" | "warn" | "bad"; children: ReactNode }) {
  return <div className={`${styles.box} ${styles[tone]}`}>{children}</div>;
}

/** What a page shows in the place of a list without elements: why it is empty and what to do next. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={styles.empty}>
      <p className={styles.title}>{title}</p>
      {children}
    </div>
  );
}
