import { type FormEvent, useEffect, useState } from "react";
import { Button } from "../ui/Button";
import { type Filters, PAGE_SIZE } from "./filters";
import styles from "./tasks.module.css";

interface Props {
  filters: Filters;
  total: number | undefined;
  shown: number;
  onPage: (page: number) => void;
}

/** Which rows are shown, of how many, and the ways to others. */
export function Pages({ filters, total, shown, onPage }: Props) {
  const [text, setText] = useState(String(filters.page));
  useEffect(() => setText(String(filters.page)), [filters.page]);
  if (total === undefined) return null;
  const pages = Math.max(1, Math.ceil(total / PAGE_SIZE));
  const first = (filters.page - 1) * PAGE_SIZE;
  const number = (value: number) => value.toLocaleString("en");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const page = Math.round(Number(text.replace(/\D/g, "")));
    if (page >= 1) onPage(Math.min(pages, page));
  };
  return (
    <div className={styles.pages}>
      <span>
        {shown > 0 ? `Rows ${number(first + 1)} to ${number(first + shown)} of ${number(total)}` : "No rows"}
      </span>
      {pages > 1 && (
        <>
          <Button isDisabled={filters.page <= 1} onPress={() => onPage(filters.page - 1)}>
            Previous
          </Button>
          <form onSubmit={submit}>
            <label>
              Page{" "}
              <input inputMode="numeric" value={text} onChange={(event) => setText(event.target.value)} />
            </label>{" "}
            of {number(pages)}
          </form>
          <Button isDisabled={filters.page >= pages} onPress={() => onPage(filters.page + 1)}>
            Next
          </Button>
        </>
      )}
    </div>
  );
}
