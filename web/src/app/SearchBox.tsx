import { type FormEvent, type Ref, useEffect, useState } from "react";
import { useLocation, useSearchParams } from "wouter";
import { Search } from "../ui/icons";
import styles from "./Frame.module.css";

/** The field that filters tasks by name: on the list at once, from elsewhere by leading there. */
export function SearchBox({ ref }: { ref: Ref<HTMLInputElement> }) {
  const [path, navigate] = useLocation();
  const [params, setParams] = useSearchParams();
  const onList = path === "/tasks";
  const active = onList ? (params.get("name") ?? "") : "";
  const [text, setText] = useState(active);
  useEffect(() => setText(active), [active]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const name = text.trim();
    if (!onList) return navigate(`/tasks${name ? `?name=${encodeURIComponent(name)}` : ""}`);
    setParams((before) => {
      const next = new URLSearchParams(before);
      next.delete("page");
      if (name) next.set("name", name);
      else next.delete("name");
      return next;
    });
  };
  return (
    <search className={styles.search}>
      <form onSubmit={submit}>
        <Search />
        <input
          ref={ref}
          type="search"
          aria-label="Filter tasks by name"
          placeholder="Filter tasks by name…"
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") event.currentTarget.blur();
          }}
        />
        <kbd className={styles.kbd}>/</kbd>
      </form>
    </search>
  );
}
