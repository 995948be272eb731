/** The one connection to the server's feed: reads it, resumes it, and begins anew when the server says so. */
import { signalSignedOut } from "../api/client";
import { readSession } from "../api/session";
import type { Task } from "../api/types";
import { type Change, type FeedMessage, type FeedState, Pending } from "./messages";

/** The server sends a bookmark every 15 seconds: a line that is silent for this long is dead, in milliseconds. */
const SILENCE = 40_000;
/** Changes are handed on at most this often, in milliseconds: four repaints a second, whatever the load. */
const GATHER = 250;
const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 10_000;

/** Reads the feed until it is stopped, and hands on what it says through `emit`. */
export class FeedSource {
  private stream: EventSource | undefined;
  private readonly pending = new Pending();
  private flushTimer: ReturnType<typeof setTimeout> | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly watchdog: ReturnType<typeof setInterval>;
  private pause = FIRST_PAUSE;
  private state: FeedState = "connecting";
  private heard = Date.now();
  private liveSince = 0;
  private stopped = false;

  constructor(
    private readonly emit: (message: FeedMessage) => void,
    private cursor: string,
  ) {
    this.watchdog = setInterval(() => this.watch(), 5000);
    window.addEventListener("online", this.reconnectNow);
    this.open();
  }

  /** Ends the connection for good. */
  stop(): void {
    this.stopped = true;
    window.removeEventListener("online", this.reconnectNow);
    clearInterval(this.watchdog);
    clearTimeout(this.retryTimer);
    clearTimeout(this.flushTimer);
    this.stream?.close();
  }

  /** Tells the other tabs how the feed stands. */
  announce(): void {
    const { state, heard, liveSince, cursor } = this;
    this.emit({ type: "state", state, heard, liveSince, cursor });
  }

  private open(): void {
    clearTimeout(this.retryTimer);
    this.stream?.close();
    const resumed = this.cursor;
    const query = resumed ? `?cursor=${encodeURIComponent(resumed)}` : "?pageSize=1";
    const stream = new EventSource(`/v1/tasks/events${query}`);
    this.stream = stream;
    let opened = false;
    // The first rows are one page of what there is; the page asks for its own, so only what follows counts.
    let live = resumed !== "";
    const on = (name: string, handle: (data: unknown) => void) =>
      stream.addEventListener(name, (event) => {
        if (this.stream !== stream) return;
        this.heard = Date.now();
        if (event.lastEventId) this.cursor = event.lastEventId;
        handle(JSON.parse(event.data as string));
      });
    stream.addEventListener("open", () => {
      opened = true;
      if (resumed && this.stream === stream) this.goLive();
    });
    on("task", (task) => live && this.add({ kind: "task", task: task as Task }));
    on("deleted", (data) => live && this.add({ kind: "deleted", id: (data as { id: string }).id }));
    on("snapshot", () => {
      live = true;
      this.goLive();
      this.emit({ type: "anew" });
    });
    on("bookmark", () => this.announce());
    on("reset", () => {
      this.cursor = "";
      this.fail(stream);
    });
    stream.addEventListener("error", () => {
      if (this.stream !== stream) return;
      // A refusal, unlike a broken line, closes the stream: the cursor may be too old, or the session over.
      const refused = stream.readyState === EventSource.CLOSED && !opened;
      if (refused) this.cursor = "";
      this.fail(stream);
      if (refused) void this.checkSession();
    });
  }

  private goLive(): void {
    this.pause = FIRST_PAUSE;
    this.heard = Date.now();
    this.state = "live";
    this.liveSince = Date.now();
    this.announce();
  }

  private fail(stream: EventSource): void {
    stream.close();
    if (this.stopped || this.stream !== stream) return;
    this.stream = undefined;
    this.flush();
    this.state = "down";
    this.announce();
    // With jitter, so that the pages of a server that restarts do not come back all at once.
    this.retryTimer = setTimeout(() => this.open(), this.pause * (0.5 + Math.random()));
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
  }

  private readonly reconnectNow = () => {
    if (!this.stopped && this.state === "down") this.open();
  };

  private async checkSession(): Promise<void> {
    const session = await readSession().catch(() => undefined);
    if (session === null && !this.stopped) signalSignedOut();
  }

  private watch(): void {
    if (this.stream && Date.now() - this.heard > SILENCE) this.fail(this.stream);
    else this.announce();
  }

  private add(change: Change): void {
    this.pending.add(change);
    // Timers of a hidden tab are held back, and other tabs may be watching: it hands on at once.
    if (document.hidden) this.flush();
    else this.flushTimer ??= setTimeout(() => this.flush(), GATHER);
  }

  private flush(): void {
    clearTimeout(this.flushTimer);
    this.flushTimer = undefined;
    if (this.pending.size > 0) {
      this.emit({ type: "changes", changes: this.pending.take(), cursor: this.cursor });
    }
  }
}
