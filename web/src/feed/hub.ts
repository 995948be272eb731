/**
 * The feed as one tab sees it. Browsers allow six connections to a host: the tab that holds a Web Lock reads the feed,
 * and the others hear it through a BroadcastChannel. When that tab is closed, the next one goes on from its cursor.
 */
import type { Change, FeedMessage, FeedState } from "./messages";
import { FeedSource } from "./source";

const NAME = "longhaul-feed";

/** How the feed stands: its state, and when the server was last heard, in milliseconds since 1970. */
export interface Standing {
  state: FeedState;
  heard: number;
}

/** Receives changes; `anew` says that some may have been missed, so that all must be read again. */
export interface FeedListener {
  changes(changes: Change[]): void;
  anew(): void;
}

/** One tab's part in the feed. */
export class FeedHub {
  private readonly channel = new BroadcastChannel(NAME);
  private readonly listeners = new Set<FeedListener>();
  private readonly watchers = new Set<() => void>();
  private readonly release = new AbortController();
  private readonly created = Date.now();
  private letGo: () => void = () => undefined;
  private source: FeedSource | undefined;
  private cursor = "";
  private joined = false;
  private standing: Standing = { state: "connecting", heard: Date.now() };

  constructor() {
    this.channel.onmessage = (event) => this.hear(event.data as FeedMessage);
    this.channel.postMessage({ type: "hello" } satisfies FeedMessage);
    // Web Locks exist on HTTPS and on this machine only; elsewhere each tab reads for itself.
    if (!navigator.locks) this.lead();
    else void this.queueForLock();
  }

  /** Ends this tab's part: the connection, if it has it, passes on to another tab. */
  close(): void {
    this.release.abort();
    this.source?.stop();
    this.source = undefined;
    this.letGo();
    this.channel.close();
  }

  /** Calls `listener` with all changes from now on; returns the way to stop. */
  listen(listener: FeedListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** For `useSyncExternalStore`: called when the standing changes. */
  readonly watch = (watcher: () => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  readonly read = (): Standing => this.standing;

  private async queueForLock(): Promise<void> {
    const held = new Promise<void>((resolve) => {
      this.letGo = resolve;
    });
    try {
      await navigator.locks.request(NAME, { signal: this.release.signal }, () => {
        this.lead();
        return held;
      });
    } catch (error) {
      // Aborted while it waited: the tab was closed or signed out.
      if (!this.release.signal.aborted) throw error;
    }
  }

  private lead(): void {
    if (this.release.signal.aborted) return;
    this.source = new FeedSource((message) => {
      this.channel.postMessage(message);
      this.take(message);
    }, this.cursor);
  }

  private hear(message: FeedMessage): void {
    if (message.type === "hello") this.source?.announce();
    else if (!this.source) this.take(message);
  }

  private take(message: FeedMessage): void {
    if (message.type === "anew") {
      for (const listener of this.listeners) listener.anew();
    } else if (message.type === "changes") {
      this.cursor = message.cursor;
      for (const listener of this.listeners) listener.changes(message.changes);
    } else if (message.type === "state") {
      this.cursor = message.cursor;
      this.join(message);
      if (message.state === this.standing.state && message.heard === this.standing.heard) return;
      this.standing = { state: message.state, heard: message.heard };
      for (const watcher of this.watchers) watcher();
    }
  }

  /** What this tab read before the feed was live may be out of date; what it read under a live feed is not. */
  private join(message: FeedMessage & { type: "state" }): void {
    if (this.joined || message.state !== "live") return;
    this.joined = true;
    if (message.liveSince > this.created && !this.source)
      for (const listener of this.listeners) listener.anew();
  }
}
