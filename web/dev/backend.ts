/**
 * For development only: stands in for what the built server does for the page itself.
 *
 * It signs in with the API's tokens, keeps them behind a cookie, and forwards `/v1` with them. A server that has
 * `/ui/session` and the feed of its own is simply forwarded to.
 */
import { type IncomingMessage, type ServerResponse, request as send } from "node:http";
import type { Connect, Plugin } from "vite";
import { pollingFeed } from "./feed.ts";

const SERVER = process.env.LONGHAUL_SERVER ?? "http://127.0.0.1:8080";

interface Session {
  token: string;
  info: Record<string, unknown>;
}
const sessions = new Map<string, Session>();

async function body(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function answer(response: ServerResponse, status: number, value?: unknown): void {
  response.statusCode = status;
  response.setHeader("content-type", "application/json");
  response.end(value === undefined ? "" : JSON.stringify(value));
}

function sessionOf(request: IncomingMessage): [string, Session] | undefined {
  const id = /longhaul_session=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1] ?? "";
  const session = sessions.get(id);
  return session && [id, session];
}

async function signIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const login = await fetch(`${SERVER}/v1/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: new Uint8Array(await body(request)),
  });
  if (!login.ok) return answer(response, login.status, await login.json());
  const token = ((await login.json()) as { accessToken: string }).accessToken;
  const me = await fetch(`${SERVER}/v1/users/me`, { headers: { authorization: `Bearer ${token}` } });
  const info = {
    ...((await me.json()) as Record<string, unknown>),
    server: { name: new URL(SERVER).host, version: "development" },
  };
  const id = crypto.randomUUID();
  sessions.set(id, { token, info });
  response.setHeader("set-cookie", `longhaul_session=${id}; HttpOnly; SameSite=Strict; Path=/`);
  answer(response, 200, info);
}

async function forward(request: IncomingMessage, response: ServerResponse, session: Session): Promise<void> {
  const content = await body(request);
  const type = request.headers["content-type"];
  const reply = await fetch(SERVER + request.url, {
    method: request.method,
    headers: { authorization: `Bearer ${session.token}`, ...(type ? { "content-type": type } : {}) },
    body: content.length > 0 ? new Uint8Array(content) : undefined,
  });
  response.statusCode = reply.status;
  response.setHeader("content-type", reply.headers.get("content-type") ?? "application/json");
  response.end(Buffer.from(await reply.arrayBuffer()));
}

let whole: Promise<boolean> | undefined;

/** True when the server has sessions of its own; then nothing is done here but to pass requests on. */
function hasSessions(): Promise<boolean> {
  whole ??= fetch(`${SERVER}/ui/session`).then(
    (reply) => reply.status === 401,
    () => {
      whole = undefined;
      return false;
    },
  );
  return whole;
}

/** Passes a request on as it is, and the answer back as it comes: the feed is a stream. */
function pass(request: IncomingMessage, response: ServerResponse): void {
  const onward = send(SERVER + request.url, { method: request.method, headers: request.headers }, (reply) => {
    if (reply.statusCode === 404 && request.url?.startsWith("/v1/tasks/events")) {
      reply.resume();
      void pollingFeed(SERVER, { cookie: request.headers.cookie ?? "" }, request, response);
      return;
    }
    response.writeHead(reply.statusCode ?? 502, reply.headers);
    reply.pipe(response);
  });
  onward.on("error", () => (response.headersSent ? response.destroy() : answer(response, 502)));
  response.on("close", () => onward.destroy());
  request.pipe(onward);
}

async function handle(request: IncomingMessage, response: ServerResponse, next: () => void): Promise<void> {
  const path = (request.url ?? "").split("?")[0] ?? "";
  if (path !== "/ui/session" && !path.startsWith("/v1/")) return next();
  if (await hasSessions()) return pass(request, response);
  if (path === "/ui/session" && request.method === "POST") return signIn(request, response);
  const found = sessionOf(request);
  if (!found) return answer(response, 401, { errorCode: "UNAUTHENTICATED", message: "nobody is signed in" });
  const [id, session] = found;
  if (path === "/ui/session" && request.method === "DELETE") {
    sessions.delete(id);
    return answer(response, 204);
  }
  if (path === "/ui/session") return answer(response, 200, session.info);
  if (path === "/v1/tasks/events") {
    return pollingFeed(SERVER, { authorization: `Bearer ${session.token}` }, request, response);
  }
  return forward(request, response, session);
}

/** The plugin of Vite's two servers; it is no part of the build. */
export function backend(): Plugin {
  const middleware: Connect.NextHandleFunction = (request, response, next) => {
    handle(request, response, next).catch((error: unknown) => {
      if (!response.headersSent) answer(response, 502, { errorCode: "NO_SERVER", message: String(error) });
    });
  };
  return {
    name: "longhaul-development-backend",
    configureServer: (server) => void server.middlewares.use(middleware),
    configurePreviewServer: (server) => void server.middlewares.use(middleware),
  };
}
