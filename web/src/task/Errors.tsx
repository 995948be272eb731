import type { ErrorDocument } from "../api/errors";
import { Prose } from "../ui/Prose";
import { plain } from "../ui/text";
import styles from "./task.module.css";

/** Errors of a task or sub-task: what happened, what to do, and what caused it. */
export function Errors({ errors }: { errors: ErrorDocument[] }) {
  return (
    <ul className={styles.errors}>
      {errors.map((error) => (
        <li key={`${error.errorCode} ${error.message}`} className={styles.error}>
          <p>
            {error.errorCode && <code className={styles.code}>{error.errorCode}</code>}{" "}
            <Prose text={error.message} />
          </p>
          {error.remediationMessage && (
            <p className={styles.remedy}>
              <b>What to do:</b> <Prose text={error.remediationMessage} />
            </p>
          )}
          {(error.causes ?? []).map((cause) => (
            <p key={`${cause.type} ${cause.message}`} className={styles.cause}>
              Cause: {cause.type && <code>{cause.type}</code>} <bdi>{plain(cause.message ?? "")}</bdi>
            </p>
          ))}
          {error.nestedErrors && error.nestedErrors.length > 0 && <Errors errors={error.nestedErrors} />}
        </li>
      ))}
    </ul>
  );
}
