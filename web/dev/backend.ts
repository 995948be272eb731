/**
 * For development only: passes what the page asks of its server on to a server that runs somewhere else, with
 * everything as it is, so that sessions and streams work as they will when the server has the page itself.
 */
import { type IncomingMessage, type ServerResponse, request as send } from "node:http";
import type { Connect, Plugin } from "vite";

const SERVER = process.env.LONGHAUL_SERVER ?? "http://127.0.0.1:8080";

function pass(request: IncomingMessage, response: ServerResponse): void {
  const onward = send(SERVER + request.url, { method: request.method, headers: request.headers }, (reply) => {
    response.writeHead(reply.statusCode ?? 502, reply.headers);
    reply.pipe(response);
    reply.on("error", () => response.destroy());
  });
  onward.on("error", () => {
    if (!response.headersSent) response.statusCode = 502;
    response.end();
  });
  response.on("close", () => onward.destroy());
  request.pipe(onward);
}

/** The plugin of Vite's two servers; it is no part of the build. */
export function backend(): Plugin {
  const middleware: Connect.NextHandleFunction = (request, response, next) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    if (path === "/ui/session" || path.startsWith("/v1/")) pass(request, response);
    else next();
  };
  return {
    name: "longhaul-development-backend",
    configureServer: (server) => void server.middlewares.use(middleware),
    configurePreviewServer: (server) => void server.middlewares.use(middleware),
  };
}
