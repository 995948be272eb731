import { type QueryKey, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from "react";
import { FeedHub, type FeedListener } from "./hub";
import { throttled } from "./throttle";

const Context = createContext<FeedHub | undefined>(undefined);

/** Gives the components below it the feed. */
export function FeedProvider({ children }: { children: ReactNode }) {
  const [hub, setHub] = useState<FeedHub>();
  const queries = useQueryClient();
  useEffect(() => {
    const created = new FeedHub();
    const stop = created.listen({
      changes: () => undefined,
      anew: () => void queries.invalidateQueries({ predicate: (query) => query.queryKey[0] !== "session" }),
    });
    setHub(created);
    return () => {
      stop();
      created.close();
    };
  }, [queries]);
  return <Context value={hub}>{hub && children}</Context>;
}

/** The feed of this tab. */
export function useFeedHub(): FeedHub {
  const hub = useContext(Context);
  if (!hub) throw new Error("useFeedHub is for components below FeedProvider");
  return hub;
}

/** Calls `listener` with what the feed says while the component is shown. */
export function useFeed(listener: FeedListener): void {
  const hub = useFeedHub();
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(
    () =>
      hub.listen({
        changes: (changes) => latest.current.changes(changes),
        anew: () => latest.current.anew(),
      }),
    [hub],
  );
}

/**
 * Has the query of `key` asked again when tasks change, at most once in `pause` milliseconds and not while the tab is
 * hidden; `about` limits it to changes of one task.
 */
export function useFeedRefresh(key: QueryKey, pause: number, about?: string): void {
  const queries = useQueryClient();
  const text = JSON.stringify(key);
  const refresh = useRef<{ text: string; call: () => void }>(undefined);
  if (refresh.current?.text !== text) {
    const call = throttled(
      () => void queries.invalidateQueries({ queryKey: JSON.parse(text) as QueryKey }),
      pause,
    );
    refresh.current = { text, call };
  }
  useFeed({
    changes: (changes) => {
      const concerned = (id: string) => about === undefined || id === about;
      if (changes.some((each) => concerned(each.kind === "task" ? each.task.id : each.id)))
        refresh.current?.call();
    },
    anew: () => undefined,
  });
}
