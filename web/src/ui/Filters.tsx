/** Filters of a list that live in the address. */
import { type ReactNode, useEffect, useState } from "react";
import { useSearchParams } from "wouter";
import styles from "./Filters.module.css";

/** The values of `names` in the address, empty where not given; a change leads back to the first page. */
export function useAddress<K extends string>(
  names: readonly K[],
): [Record<K, string>, (change: Partial<Record<K, string>>) => void] {
  const [params, setParams] = useSearchParams();
  const values = Object.fromEntries(names.map((name) => [name, params.get(name) ?? ""])) as Record<K, string>;
  const change = (changes: Partial<Record<K, string>>) =>
    setParams((before) => {
      const next = new URLSearchParams(before);
      if (!("page" in changes)) next.delete("page");
      for (const [name, value] of Object.entries<string | undefined>(changes)) {
        if (value) next.set(name, value);
        else next.delete(name);
      }
      return next;
    });
  return [values, change];
}

/** The page that an address asks for, from 1. */
export const pageOf = (text: string): number => (/^[1-9]\d{0,8}$/.test(text) ? Number(text) : 1);

export function FilterBar({ children }: { children: ReactNode }) {
  return (
    <search className={styles.bar} aria-label="Filters">
      {children}
    </search>
  );
}

interface Common {
  label: string;
  value: string;
  onChange: (value: string) => void;
}

/** A text to filter by; it counts on Enter, or when the field is left. */
export function TextFilter({ label, value, onChange, hint }: Common & { hint?: string }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const commit = () => {
    if (text.trim() !== value) onChange(text.trim());
  };
  return (
    <label className={styles.filter}>
      {label}
      <input
        type="search"
        value={text}
        placeholder={hint}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter") commit();
        }}
      />
    </label>
  );
}

/** A choice to filter by; each of `values` is a value and its words. */
export function ChoiceFilter({ label, value, onChange, values }: Common & { values: [string, string][] }) {
  return (
    <label className={styles.filter}>
      {label}
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {values.map(([each, words]) => (
          <option key={each} value={each}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}
