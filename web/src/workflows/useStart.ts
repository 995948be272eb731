import { useMutation } from "@tanstack/react-query";
import { useRef } from "react";
import { api, must } from "../api/client";
import type { components } from "../api/schema";
import type { Task } from "../api/types";

/** A request to start a task. */
export type StartSpec = components["schemas"]["TaskStartSpec"];

/** A random text of 32 characters; pages without TLS have no `crypto.randomUUID`. */
function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

/** The labels of lines such as `team=storage`. */
export function labelsOf(text: string): Record<string, string> {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf("=");
      return at < 0 ? [line, ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    }),
  );
}

/**
 * The call that has the server check a task, and with `start` then starts it. The same request asked for again has the
 * same key: an answer that got lost does not start a second task.
 */
export function useStart(onStarted: (task: Task) => void) {
  const last = useRef({ body: "", key: "" });
  return useMutation({
    mutationFn: async ({ spec, start }: { spec: StartSpec; start: boolean }) => {
      const body = spec;
      const checked = await must(api.POST("/v1/tasks", { params: { query: { dryRun: true } }, body }));
      if (!start) return checked;
      const text = JSON.stringify(spec);
      if (last.current.body !== text) last.current = { body: text, key: randomKey() };
      const header = { "Idempotency-Key": last.current.key };
      const task = await must(api.POST("/v1/tasks", { params: { header }, body }));
      last.current = { body: "", key: "" };
      onStarted(task);
      return task;
    },
  });
}
