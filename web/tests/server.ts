/** A real server for a test: a process of the binary that LONGHAUL_BINARY names, with data of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { preview } from "vite";

export const PASSWORD = "Admin-pass-12345";
const root = join(import.meta.dirname, "..");

/** A server that runs, and the page that is in front of it. */
export interface TestServer {
  /** Where the page is, without a slash at the end. */
  page: string;
  /** Where the server itself is, for requests with other credentials. */
  api: string;
  /** A request to the API as the administrator. */
  call: (method: string, path: string, body?: unknown) => Promise<unknown>;
  /** Starts a task and returns its id. */
  start: (workflow: string, input?: object, name?: string) => Promise<string>;
  /** Starts a worker of `queue` that runs a script of the shell for each attempt. */
  work: (queue: string, script: string) => void;
  stop: () => Promise<void>;
}

async function listening(server: ChildProcess): Promise<string> {
  let text = "";
  for await (const part of server.stdout ?? []) {
    text += String(part);
    const found = /listens on (http:\/\/127\.0\.0\.1:\d+)/.exec(text);
    if (found?.[1]) return found[1];
  }
  throw new Error(`the server ended before it listened: ${text}`);
}

/** Starts a server on a free port. */
export async function startServer(): Promise<TestServer> {
  const binary = process.env.LONGHAUL_BINARY;
  if (!binary) throw new Error("LONGHAUL_BINARY names no server to test the page with");
  const data = mkdtempSync(join(tmpdir(), "longhaul-web-"));
  const server = spawn(binary, ["serve", "--data-dir", data, "--listen", "127.0.0.1:0"], {
    env: { ...process.env, LONGHAUL_ADMIN_PASSWORD: PASSWORD },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const url = await listening(server);
  server.stdout?.resume();
  const login = await fetch(`${url}/v1/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "admin", password: PASSWORD }),
  });
  const { accessToken } = (await login.json()) as { accessToken: string };
  const call = async (method: string, path: string, body?: unknown) => {
    const reply = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${accessToken}`, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`);
    return text ? (JSON.parse(text) as unknown) : undefined;
  };
  const workers: ChildProcess[] = [];
  const front = await inFront(url);
  return {
    page: front.page,
    api: url,
    call,
    start: async (workflow, input = {}, name) =>
      ((await call("POST", "/v1/tasks", { workflow, input, ...(name ? { name } : {}) })) as { id: string })
        .id,
    work: (queue, script) => {
      const env = { ...process.env, LONGHAUL_SERVER: url, LONGHAUL_TOKEN: accessToken };
      const options = ["worker", "exec", "--queue", queue, "--", "/bin/sh", "-c", script];
      workers.push(spawn(binary, options, { env, stdio: "ignore" }));
    },
    stop: async () => {
      for (const worker of workers) worker.kill("SIGKILL");
      await front.close();
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGKILL");
      await ended;
      rmSync(data, { recursive: true, force: true });
    },
  };
}

/**
 * The page under test is the one in `dist`. A server that has exactly that page is tested as it is; in front of any
 * other one, such as a binary built before the page, stands Vite's preview of `dist`.
 */
async function inFront(url: string): Promise<{ page: string; close: () => Promise<void> }> {
  const script =
    /assets\/index-[\w-]+\.js/.exec(readFileSync(join(root, "dist/index.html"), "utf8"))?.[0] ?? "none";
  const own = await fetch(`${url}/ui/`).then((reply) => reply.text());
  if (own.includes(script)) return { page: url, close: async () => undefined };
  process.env.LONGHAUL_SERVER = url;
  const front = await preview({ root, logLevel: "error", preview: { port: 0, strictPort: false } });
  const page = front.resolvedUrls?.local[0]?.replace(/\/ui\/$/, "") ?? "";
  return { page, close: () => front.close() };
}
