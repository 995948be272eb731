/**
 * Starting a task again with changes: what of its input can be written into the form, and how the input that is
 * written now differs from it.
 *
 * The server never gives a secret back: it shows a mask in its place. A masked value must not be sent as if it were
 * the secret, so it is taken out, and its place is remembered.
 */
import { escapePointer, type Field, sameJson } from "./schema";

const MASK = "<redacted>";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isMasked = (value: unknown): boolean => typeof value === "string" && value.includes(MASK);

/** An input without its masked values, and the JSON pointers of those. */
export interface Unmasked {
  value: unknown;
  masked: Set<string>;
}

/**
 * The input `shown` by the server without what is masked in it. A masked member is left out; a masked item of a list
 * becomes an empty text, so that the items behind it keep their places.
 */
export function unmasked(shown: unknown, pointer = ""): Unmasked {
  if (isMasked(shown)) return { value: undefined, masked: new Set([pointer]) };
  const masked = new Set<string>();
  const part = (value: unknown, name: string): unknown => {
    const inner = unmasked(value, `${pointer}/${escapePointer(name)}`);
    for (const each of inner.masked) masked.add(each);
    return inner.value;
  };
  if (Array.isArray(shown)) {
    const items = shown.map((item, index) => part(item, String(index)));
    return { value: items.map((item) => (item === undefined ? "" : item)), masked };
  }
  if (!isObject(shown)) return { value: shown, masked };
  const members = Object.entries(shown).map(([name, value]): [string, unknown] => [name, part(value, name)]);
  return { value: Object.fromEntries(members.filter(([, value]) => value !== undefined)), masked };
}

/** One place in which two inputs differ; a side without a value has no member. */
export interface Difference {
  pointer: string;
  was?: unknown;
  now?: unknown;
}

/** Every place in which `now` differs from `was`, as deep as both have the same kind of value there. */
export function differences(was: unknown, now: unknown, pointer = ""): Difference[] {
  if (sameJson(was, now)) return [];
  const both = (Array.isArray(was) && Array.isArray(now)) || (isObject(was) && isObject(now));
  if (!both) {
    return [{ pointer, ...(was === undefined ? {} : { was }), ...(now === undefined ? {} : { now }) }];
  }
  const [before, after] = [membersOf(was), membersOf(now)];
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].flatMap((name) =>
    differences(before.get(name), after.get(name), `${pointer}/${escapePointer(name)}`),
  );
}

function membersOf(value: object): Map<string, unknown> {
  return new Map(Object.entries(value));
}

/** The pointers in `masked` at which `input` still has the empty text that stands for a secret item of a list. */
export function stillEmpty(input: unknown, masked: ReadonlySet<string>): string[] {
  return places(input).flatMap(([pointer, value]) => (value === "" && masked.has(pointer) ? [pointer] : []));
}

function places(value: unknown, pointer = ""): [string, unknown][] {
  if (typeof value !== "object" || value === null) return [[pointer, value]];
  return Object.entries(value).flatMap(([name, part]) => places(part, `${pointer}/${escapePointer(name)}`));
}

/** The pointers below which the form's values are secret, for an input `value`. */
export function secretPointers(field: Field, value: unknown, pointer = ""): string[] {
  if (field.secret) return [pointer];
  if (field.kind === "list" && Array.isArray(value)) {
    return value.flatMap((item, index) => secretPointers(field.item, item, `${pointer}/${index}`));
  }
  if (field.kind !== "object") return [];
  const members = isObject(value) ? value : {};
  return field.fields.flatMap((each) =>
    secretPointers(
      each,
      Object.hasOwn(members, each.name) ? members[each.name] : undefined,
      `${pointer}/${escapePointer(each.name)}`,
    ),
  );
}

/** True if `pointer` is one of `places`, or lies within or around one. */
export function touches(pointer: string, places: Iterable<string>): boolean {
  return [...places].some(
    (place) => pointer === place || pointer.startsWith(`${place}/`) || place.startsWith(`${pointer}/`),
  );
}
