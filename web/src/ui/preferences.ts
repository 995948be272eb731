/** What a user prefers, kept by this browser; other tabs follow at once. */
import { useSyncExternalStore } from "react";
import type { TimeStyle } from "./time";

interface Preferences {
  theme: "system" | "light" | "dark";
  times: TimeStyle;
  density: "normal" | "compact";
}
const DEFAULTS: Preferences = { theme: "system", times: "relative", density: "normal" };
const ALLOWED: { [K in keyof Preferences]: readonly Preferences[K][] } = {
  theme: ["system", "light", "dark"],
  times: ["relative", "local", "utc"],
  density: ["normal", "compact"],
};
const KEY = "longhaul.preferences";
const listeners = new Set<() => void>();
let current = read();

function read(): Preferences {
  const result: Record<string, string> = { ...DEFAULTS };
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Record<string, unknown>;
    for (const [name, allowed] of Object.entries(ALLOWED)) {
      const value = stored[name];
      if (typeof value === "string" && (allowed as readonly string[]).includes(value)) result[name] = value;
    }
  } catch {
    // Storage may be forbidden or hold something else: the defaults are right then.
  }
  return result as unknown as Preferences;
}

function apply(): void {
  const root = document.documentElement;
  if (current.theme === "system") root.removeAttribute("data-theme");
  else root.dataset.theme = current.theme;
  root.dataset.density = current.density;
  for (const listener of listeners) listener();
}

/** Puts the stored preferences into effect, and follows those of other tabs. */
export function startPreferences(): void {
  apply();
  window.addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    current = read();
    apply();
  });
}

/** Changes one preference. */
export function setPreference<K extends keyof Preferences>(name: K, value: Preferences[K]): void {
  current = { ...current, [name]: value };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // It then lasts as long as this tab.
  }
  apply();
}

/** One preference; the component renders again when it changes. */
export function usePreference<K extends keyof Preferences>(name: K): Preferences[K] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current[name],
  );
}
