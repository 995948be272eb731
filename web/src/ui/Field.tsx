import {
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useId,
} from "react";
import styles from "./Field.module.css";

interface Common {
  label: string;
  hint?: ReactNode;
  /** What is wrong with the value; the field is then marked as invalid. */
  error?: string | undefined;
}

function Frame({ id, label, hint, error, children }: Common & { id: string; children: ReactNode }) {
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      {children}
      {hint && (
        <p id={`${id}-hint`} className={styles.hint}>
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} className={styles.error}>
          {error}
        </p>
      )}
    </div>
  );
}

const described = (id: string, { hint, error }: Pick<Common, "hint" | "error">) =>
  [hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter(Boolean).join(" ") || undefined;

/** A field for a line of text. */
export function TextField({
  label,
  hint,
  error,
  ...input
}: Common & Omit<InputHTMLAttributes<HTMLInputElement>, "className">) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <input
        {...input}
        id={id}
        className={styles.input}
        aria-describedby={described(id, { hint, error })}
        aria-invalid={error ? true : undefined}
      />
    </Frame>
  );
}

/** A choice of one value from a short list. */
export function SelectField({
  label,
  hint,
  error,
  children,
  ...select
}: Common & Omit<SelectHTMLAttributes<HTMLSelectElement>, "className">) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <select
        {...select}
        id={id}
        className={styles.input}
        aria-describedby={described(id, { hint, error })}
        aria-invalid={error ? true : undefined}
      >
        {children}
      </select>
    </Frame>
  );
}

/** A field for several lines of code, such as JSON. */
export function CodeField({
  label,
  hint,
  error,
  ...area
}: Common & Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, "className">) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <textarea
        spellCheck={false}
        autoComplete="off"
        {...area}
        id={id}
        className={`${styles.input} ${styles.code}`}
        aria-describedby={described(id, { hint, error })}
        aria-invalid={error ? true : undefined}
      />
    </Frame>
  );
}
