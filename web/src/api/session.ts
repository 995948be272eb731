/** The page's session: who is signed in, and the two calls that begin and end it. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { onSignedOut } from "./client";
import { ApiError, type ErrorDocument } from "./errors";
import type { Role } from "./types";

/** Who is signed in, and to which server. */
export interface Session {
  name: string;
  role: Role;
  kind: string;
  server: { name: string; version: string };
  expiresAt?: string;
}

async function call(method: string, body?: unknown): Promise<Response> {
  try {
    return await fetch("/ui/session", {
      method,
      credentials: "same-origin",
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
  } catch (cause) {
    throw ApiError.unreachable(cause);
  }
}

async function refusal(response: Response): Promise<ApiError> {
  const document = (await response.json().catch(() => undefined)) as ErrorDocument | undefined;
  return new ApiError(response.status, document);
}

/** The session as the server knows it; null when nobody is signed in. */
export async function readSession(): Promise<Session | null> {
  const response = await call("GET");
  if (response.status === 401) return null;
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as Session;
}

const KEY = ["session"];

/** The session, kept up to date: `data` is null when nobody is signed in. */
export function useSessionQuery() {
  const queries = useQueryClient();
  useEffect(() => onSignedOut(() => queries.setQueryData(KEY, null)), [queries]);
  return useQuery({ queryKey: KEY, queryFn: readSession, staleTime: Number.POSITIVE_INFINITY });
}

/** The call that signs in. */
export function useSignIn() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (login: { username: string; password: string }) => {
      const response = await call("POST", login);
      if (!response.ok) throw await refusal(response);
      return (await response.json()) as Session;
    },
    onSuccess: (session) => queries.setQueryData(KEY, session),
  });
}

/** The call that signs out; what the page has read is forgotten. */
export function useSignOut() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async () => {
      const response = await call("DELETE");
      if (!response.ok && response.status !== 401) throw await refusal(response);
    },
    onSuccess: () => {
      queries.removeQueries({ predicate: (query) => query.queryKey[0] !== KEY[0] });
      queries.setQueryData(KEY, null);
    },
  });
}

const RANK: Record<Role, number> = { WORKER: 0, VIEWER: 1, OPERATOR: 2, ADMIN: 3 };

/** True when `role` may do what `needed` may do. */
export function mayActAs(role: Role, needed: Role): boolean {
  return RANK[role] >= RANK[needed];
}
