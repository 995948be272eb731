/** Keys of the page: single letters and two in a row, never while a text is being written or a dialog is open. */
import { useEffect, useRef } from "react";

/** Actions by key: `j`, `Shift+J`, `g t` (one after the other), `Ctrl+k`. */
export type Keymap = Record<string, (event: KeyboardEvent) => void>;

/** How long the first key of a pair is remembered, in milliseconds. */
const PAIR = 1200;

function isEditing(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return !!element?.closest?.("input, textarea, select, [contenteditable='true']");
}

function nameOf(event: KeyboardEvent): string {
  return event.ctrlKey || event.metaKey ? `Ctrl+${event.key.toLowerCase()}` : event.key;
}

/** Makes `keys` work while the component is shown. */
export function useHotkeys(keys: Keymap, enabled = true): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    if (!enabled) return;
    let first = "";
    let until = 0;
    const listen = (event: KeyboardEvent) => {
      const name = nameOf(event);
      if (event.defaultPrevented || event.altKey) return;
      const withControl = name.startsWith("Ctrl+");
      if (!withControl && (isEditing(event.target) || document.querySelector("[role=dialog], [role=menu]")))
        return;
      const pair = Date.now() < until ? `${first} ${name}` : "";
      const run = latest.current[pair] ?? (first && pair ? undefined : latest.current[name]);
      first = "";
      if (run) {
        event.preventDefault();
        run(event);
      } else if (Object.keys(latest.current).some((key) => key.startsWith(`${name} `))) {
        first = name;
        until = Date.now() + PAIR;
      }
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, [enabled]);
}
