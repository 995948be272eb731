/** Where a refused input is wrong: the server's nested errors, by the field that they are about. */
import { ApiError, type ErrorDocument } from "../api/errors";
import { escapePointer } from "./schema";

/** Errors by pointer into the input. */
export type FieldErrors = ReadonlyMap<string, string>;

const MISSING = /^"((?:[^"\\]|\\.)*)" is a required property$/;

/** The faults of an input that the server found, by pointer from the input's root; empty for any other refusal. */
export function faultsOf(error: unknown): Map<string, string> {
  const faults = new Map<string, string>();
  if (!(error instanceof ApiError)) return faults;
  for (const each of error.nested) {
    const found = placed(each);
    if (!found) continue;
    const before = faults.get(found.pointer);
    faults.set(found.pointer, before ? `${before}; ${found.message}` : found.message);
  }
  return faults;
}

function placed(error: ErrorDocument): { pointer: string; message: string } | undefined {
  const pointer = (error.context as { pointer?: unknown } | undefined)?.pointer;
  if (typeof pointer !== "string" || !/^\/input(\/|$)/.test(pointer)) return undefined;
  const own = pointer.slice("/input".length);
  const message = error.message.startsWith(`${pointer}: `)
    ? error.message.slice(pointer.length + 2)
    : error.message;
  // A missing member is reported at its object: people look for it at the member.
  const missing = MISSING.exec(message)?.[1];
  if (missing === undefined) return { pointer: own, message };
  const name = JSON.parse(`"${missing}"`) as string;
  return { pointer: `${own}/${escapePointer(name)}`, message: "A value is needed" };
}

/** The fault of the deepest field that is shown and contains it, for faults that have no field of their own. */
export function atFields(faults: FieldErrors, shown: ReadonlySet<string>): Map<string, string> {
  const result = new Map<string, string>();
  for (const [pointer, message] of faults) {
    let at = pointer;
    while (at !== "" && !shown.has(at)) at = at.slice(0, at.lastIndexOf("/"));
    const text = at === pointer ? message : `${pointer.slice(at.length + 1)}: ${message}`;
    const before = result.get(at);
    result.set(at, before ? `${before}; ${text}` : text);
  }
  return result;
}
