/** The one way of the page to the API: typed by the OpenAPI document, with refusals as `ApiError`. */
import createClient from "openapi-fetch";
import { ApiError, type ErrorDocument } from "./errors";
import { queryString } from "./query";
import type { paths } from "./schema";

/** The typed client. Credentials are the session's cookie, which scripts cannot read. */
export const api = createClient<paths>({
  baseUrl: "/",
  credentials: "same-origin",
  querySerializer: queryString,
});

const signedOutListeners = new Set<() => void>();

/** Calls `listener` whenever the server says that nobody is signed in; returns the way to stop. */
export function onSignedOut(listener: () => void): () => void {
  signedOutListeners.add(listener);
  return () => signedOutListeners.delete(listener);
}

/** Tells the page that its session is over. */
export function signalSignedOut(): void {
  for (const listener of signedOutListeners) listener();
}

interface Reply<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * The body of a successful reply.
 *
 * @throws ApiError when the server refused, or did not answer.
 */
export async function must<T>(call: Promise<Reply<T>>): Promise<T> {
  let reply: Reply<T>;
  try {
    reply = await call;
  } catch (cause) {
    // An abort is the caller's own doing, and no fault of the connection.
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw ApiError.unreachable(cause);
  }
  if (reply.response.ok) return reply.data as T;
  if (reply.response.status === 401) signalSignedOut();
  throw new ApiError(reply.response.status, reply.error as ErrorDocument | undefined);
}
