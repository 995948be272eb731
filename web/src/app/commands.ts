/** Commands that the page shown at the moment offers to the palette. */
import { useEffect, useSyncExternalStore } from "react";

/** One command of the palette. */
export interface Command {
  id: string;
  label: string;
  note?: string;
  /** Why it is impossible now. */
  refused?: string | undefined;
  run: () => void;
}

let offered: Command[] = [];
const listeners = new Set<() => void>();

/** Offers `commands` while the component is shown. */
export function useOfferCommands(commands: Command[]): void {
  useEffect(() => {
    offered = commands;
    for (const listener of listeners) listener();
    return () => {
      offered = [];
      for (const listener of listeners) listener();
    };
  }, [commands]);
}

/** The commands of the page shown at the moment. */
export function usePageCommands(): Command[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => offered,
  );
}

/** The commands whose label has all words of `text`, those that begin with it first. */
export function matching(commands: Command[], text: string): Command[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = commands.filter((command) =>
    words.every((word) => command.label.toLowerCase().includes(word)),
  );
  const first = (command: Command) => (command.label.toLowerCase().startsWith(words[0] ?? "") ? 0 : 1);
  return found.sort((a, b) => first(a) - first(b));
}
