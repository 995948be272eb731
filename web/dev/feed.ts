/** For development only: a feed in the form of `GET /v1/tasks/events`, made by asking for the newest tasks again. */
import type { IncomingMessage, ServerResponse } from "node:http";

interface Row {
  id: string;
  version?: number;
  status: string;
}

/** Streams what changed among the newest 100 tasks, each second, until the reader leaves. */
export async function pollingFeed(
  server: string,
  headers: Record<string, string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const send = (event: string, data: unknown, id?: string) =>
    response.write(`event: ${event}\n${id ? `id: ${id}\n` : ""}data: ${JSON.stringify(data)}\n\n`);
  const known = new Map<string, string>();
  // Nothing is kept from before: a reader that resumes is told of everything, and drops what it knows.
  const resumed = request.url?.includes("cursor=") === true;
  let open = true;
  request.on("close", () => {
    open = false;
  });
  for (let round = 0; open; round++) {
    const reply = await fetch(`${server}/v1/tasks?view=summary&include=all&pageSize=100`, { headers }).catch(
      () => undefined,
    );
    if (!reply?.ok) break;
    const page = (await reply.json()) as { elements: Row[]; pageMetadata: { totalElements: number } };
    for (const task of page.elements) {
      const text = JSON.stringify(task);
      if (known.get(task.id) !== text && (round > 0 || resumed)) send("task", task, `${round}`);
      known.set(task.id, text);
    }
    if (round === 0 && !resumed) send("snapshot", { pageMetadata: page.pageMetadata }, "0");
    if (round % 15 === 14) send("bookmark", { totalElements: page.pageMetadata.totalElements }, `${round}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  response.end();
}
