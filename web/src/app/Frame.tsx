import { type ReactNode, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import { useSignOut } from "../api/session";
import { Freshness } from "../feed/Freshness";
import { Button } from "../ui/Button";
import { useHotkeys } from "../ui/hotkeys";
import { ChevronDown, Person, Search } from "../ui/icons";
import { type Entry, Menu } from "../ui/Menu";
import { Notices } from "../ui/notices";
import { setPreference, usePreference } from "../ui/preferences";
import styles from "./Frame.module.css";
import { Help } from "./Help";
import { Mark } from "./Mark";
import { Navigation } from "./Navigation";
import { NAV } from "./nav";
import { Palette } from "./Palette";
import { SearchBox } from "./SearchBox";
import { useSession } from "./session-context";

/** The frame around every page: the bar, the navigation, the reports, and the keys that work everywhere. */
export function Frame({ children }: { children: ReactNode }) {
  const session = useSession();
  const [, navigate] = useLocation();
  const [open, setOpen] = useState<"help" | "palette">();
  const search = useRef<HTMLInputElement>(null);
  const keys: Parameters<typeof useHotkeys>[0] = {
    "/": () => search.current?.focus(),
    "?": () => setOpen("help"),
    "Ctrl+k": () => setOpen("palette"),
  };
  for (const entry of NAV) keys[`g ${entry.key}`] = () => navigate(entry.path);
  useHotkeys(keys);
  return (
    <div className={styles.frame}>
      <a className={styles.skip} href="#content">
        Skip to the content
      </a>
      <header className={styles.bar}>
        <Link href="/" className={styles.brand}>
          <Mark />
          <span>Longhaul</span>
          <span className={styles.server}>
            <bdi>{session.server.name}</bdi>
          </span>
        </Link>
        <SearchBox ref={search} />
        <div className={styles.right}>
          <Freshness />
          <Button look="quiet" aria-label="Commands" onPress={() => setOpen("palette")}>
            <Search />
            <kbd className={styles.kbd}>Ctrl K</kbd>
          </Button>
          <UserMenu onHelp={() => setOpen("help")} />
        </div>
      </header>
      <Navigation />
      <main id="content" tabIndex={-1} className={styles.content}>
        {children}
      </main>
      <Notices />
      {open === "help" && <Help onClose={() => setOpen(undefined)} />}
      {open === "palette" && <Palette onClose={() => setOpen(undefined)} onHelp={() => setOpen("help")} />}
    </div>
  );
}

function UserMenu({ onHelp }: { onHelp: () => void }) {
  const session = useSession();
  const signOut = useSignOut();
  const theme = usePreference("theme");
  const times = usePreference("times");
  const density = usePreference("density");
  const choice = (id: string, label: string, checked: boolean, run: () => void): Entry => ({
    id,
    label,
    checked,
    run,
  });
  const entries: Entry[] = [
    choice("light", "Theme: light", theme === "light", () => setPreference("theme", "light")),
    choice("dark", "Theme: dark", theme === "dark", () => setPreference("theme", "dark")),
    choice("system", "Theme: as the system", theme === "system", () => setPreference("theme", "system")),
    choice("relative", "Times: relative", times === "relative", () => setPreference("times", "relative")),
    choice("local", "Times: local", times === "local", () => setPreference("times", "local")),
    choice("utc", "Times: UTC", times === "utc", () => setPreference("times", "utc")),
    choice("compact", "Compact rows", density === "compact", () =>
      setPreference("density", density === "compact" ? "normal" : "compact"),
    ),
    { id: "help", label: "Keyboard help", run: onHelp },
    { id: "out", label: "Sign out", note: `Longhaul ${session.server.version}`, run: () => signOut.mutate() },
  ];
  return (
    <Menu label="Account and display" entries={entries}>
      <Button look="quiet" aria-label={`${session.name}, ${session.role}: account and display`}>
        <Person />
        <span className={styles.user}>
          <bdi>{session.name}</bdi> <span className={styles.role}>{session.role}</span>
        </span>
        <ChevronDown size={12} />
      </Button>
    </Menu>
  );
}
