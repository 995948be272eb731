/**
 * A form from a JSON Schema: the fields, what is written in them, and the JSON that this means.
 *
 * Fields are made for the part of JSON Schema that workflows use; whatever else a schema says is left to the server,
 * which checks every input, and a value without a field of its own is written as JSON.
 */

/** A JSON Schema, or a part of one. */
export type Schema = Record<string, unknown>;

interface Common {
  /** The member's name; an item of a list has none. */
  name: string;
  label: string;
  hint: string;
  required: boolean;
  /** The server seals the value, so it is not shown while it is written. */
  secret: boolean;
}

/** A field of a form. */
export type Field = Common &
  (
    | { kind: "text" }
    | { kind: "boolean" }
    | { kind: "json" }
    | { kind: "number"; whole: boolean }
    | { kind: "choice"; values: unknown[] }
    | { kind: "object"; fields: Field[] }
    | { kind: "list"; item: Field }
  );

/** What is written in a field: a text, or drafts of items and members. */
export type Draft = string | Draft[] | { [name: string]: Draft } | undefined;

/** Schemas nested deeper than this, or into themselves, are written as JSON. */
const DEEPEST = 6;

const isSchema = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function resolved(root: Schema, schema: unknown): Schema {
  let current = isSchema(schema) ? schema : {};
  for (let steps = 0; typeof current.$ref === "string" && steps < 20; steps++) {
    const parts = current.$ref.replace(/^#\/?/, "").split("/").filter(Boolean).map(unescapePointer);
    const target = parts.reduce<unknown>((at, part) => (isSchema(at) ? at[part] : undefined), root);
    const { $ref: _, ...beside } = current;
    current = isSchema(target) ? { ...target, ...beside } : {};
  }
  return current;
}

function typeOf(schema: Schema): string {
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).filter((type) => type !== "null");
  if (types.length === 1 && typeof types[0] === "string") return types[0];
  return types.length === 0 || types[0] === undefined ? (isSchema(schema.properties) ? "object" : "") : "";
}

const KEYWORDS_OF_FORM = ["oneOf", "anyOf", "if", "not", "patternProperties", "prefixItems"];

/** The field for `schema`; `root` is where its references lead. */
export function fieldOf(
  root: Schema,
  schema: unknown,
  name = "",
  required = true,
  secret = false,
  depth = 0,
): Field {
  const own = resolved(root, schema);
  const common: Common = {
    name,
    label: name || "Input",
    hint: hintOf(own),
    required,
    secret: secret || own.writeOnly === true,
  };
  const choices = Array.isArray(own.enum) ? own.enum : "const" in own ? [own.const] : undefined;
  if (choices) return { ...common, kind: "choice", values: choices };
  const type = typeOf(own);
  const plain = !KEYWORDS_OF_FORM.some((keyword) => keyword in own) && depth < DEEPEST;
  if (type === "string") return { ...common, kind: "text" };
  if (type === "integer" || type === "number")
    return { ...common, kind: "number", whole: type === "integer" };
  if (type === "boolean") return { ...common, kind: "boolean" };
  const inner = (part: unknown, partName: string, needed: boolean) =>
    fieldOf(root, part, partName, needed, common.secret, depth + 1);
  if (plain && type === "object" && isSchema(own.properties)) {
    const needed = Array.isArray(own.required) ? own.required : [];
    const fields = Object.entries(own.properties).map(([each, part]) =>
      inner(part, each, needed.includes(each)),
    );
    return { ...common, kind: "object", fields };
  }
  if (plain && type === "array" && isSchema(own.items)) {
    return { ...common, kind: "list", item: { ...inner(own.items, "", true), label: "Item" } };
  }
  return { ...common, kind: "json" };
}

function hintOf(schema: Schema): string {
  const bounds = [
    typeof schema.minimum === "number" && `at least ${schema.minimum}`,
    typeof schema.maximum === "number" && `at most ${schema.maximum}`,
    typeof schema.format === "string" && `format ${schema.format}`,
    typeof schema.pattern === "string" && `pattern ${schema.pattern}`,
    "default" in schema && `default ${JSON.stringify(schema.default)}`,
  ].filter(Boolean);
  const text = typeof schema.description === "string" ? schema.description : "";
  return [text, bounds.join(", ")].filter(Boolean).join(" · ");
}

/** What a draft means, and what is wrong with it by JSON pointer; without a value the field is left out. */
export interface Collected {
  value?: unknown;
  errors: Map<string, string>;
}

/** The JSON that `draft` means. Only what cannot be written as JSON is an error; the rest is the server's to check. */
export function collect(field: Field, draft: Draft, pointer = ""): Collected {
  const none: Collected = { errors: new Map() };
  const wrong = (message: string): Collected => ({ errors: new Map([[pointer, message]]) });
  if (field.kind === "object") return collectObject(field, draft, pointer);
  if (field.kind === "list") return collectList(field, draft, pointer);
  if (typeof draft !== "string") return none;
  if (field.kind === "text") return draft === "" ? none : { ...none, value: draft };
  const text = draft.trim();
  if (text === "") return none;
  if (field.kind === "boolean") return { ...none, value: text === "true" };
  if (field.kind === "choice") return { ...none, value: field.values[Number(text)] };
  if (field.kind === "json") {
    try {
      return { ...none, value: JSON.parse(text) as unknown };
    } catch {
      return wrong("This is not JSON: a text needs quotation marks");
    }
  }
  if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return wrong("This is not a number");
  const value = Number(text);
  if (field.whole && !Number.isSafeInteger(value)) {
    return wrong(
      Number.isInteger(value) ? "This number is too large for the form" : "This is not a whole number",
    );
  }
  return Number.isFinite(value) ? { ...none, value } : wrong("This number is too large");
}

function collectObject(field: Field & { kind: "object" }, draft: Draft, pointer: string): Collected {
  const drafts = isSchema(draft) ? (draft as Record<string, Draft>) : {};
  const errors = new Map<string, string>();
  const value: [string, unknown][] = [];
  for (const each of field.fields) {
    const own = Object.hasOwn(drafts, each.name) ? drafts[each.name] : undefined;
    const part = collect(each, own, `${pointer}/${escapePointer(each.name)}`);
    for (const [at, message] of part.errors) errors.set(at, message);
    if ("value" in part) value.push([each.name, part.value]);
  }
  // An optional object of which nothing is given is not given.
  if (value.length === 0 && !field.required && draft === undefined) return { errors };
  return { value: Object.fromEntries(value), errors };
}

function collectList(field: Field & { kind: "list" }, draft: Draft, pointer: string): Collected {
  const items = Array.isArray(draft) ? draft : undefined;
  if (!items) return { errors: new Map() };
  const parts = items.map((item, index) => collect(field.item, item, `${pointer}/${index}`));
  const errors = new Map(parts.flatMap((part) => [...part.errors]));
  // An item that is there and empty is an empty text, and otherwise nothing that could be sent.
  const value = parts.map((part, index) => {
    if (!("value" in part) && part.errors.size === 0 && field.item.kind !== "text") {
      errors.set(`${pointer}/${index}`, "This item has no value");
    }
    return "value" in part ? part.value : "";
  });
  return { value, errors };
}

/** The draft that means `value`; undefined if the field cannot show it, wherever in it that may be. */
export function draftOf(field: Field, value: unknown): Draft {
  if (value === undefined) return undefined;
  const draft = written(field, value);
  const back = collect(field, draft);
  return back.errors.size === 0 && "value" in back && sameJson(back.value, value) ? draft : undefined;
}

function written(field: Field, value: unknown): Draft {
  switch (field.kind) {
    case "object": {
      if (!isSchema(value)) return undefined;
      const known = field.fields.filter((each) => Object.hasOwn(value, each.name));
      return Object.fromEntries(known.map((each) => [each.name, written(each, value[each.name])]));
    }
    case "list":
      return Array.isArray(value) ? value.map((item) => written(field.item, item)) : undefined;
    case "choice": {
      const index = field.values.findIndex((each) => sameJson(each, value));
      return index < 0 ? undefined : String(index);
    }
    case "json":
      return JSON.stringify(value, null, 2);
    default:
      return String(value);
  }
}

/** True when two JSON values are equal; the order of members does not matter. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  }
  if (isSchema(a) && isSchema(b)) {
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length &&
      names.every((name) => Object.hasOwn(b, name) && sameJson(a[name], b[name]))
    );
  }
  // JSON has no negative zero.
  return a === b;
}

/** A member's name as a part of a JSON pointer. */
export const escapePointer = (name: string): string => name.replaceAll("~", "~0").replaceAll("/", "~1");
const unescapePointer = (part: string): string => part.replaceAll("~1", "/").replaceAll("~0", "~");

/** Every pointer at which the form shows an error, for a draft. */
export function shownPointers(field: Field, draft: Draft, pointer = ""): Set<string> {
  const own = new Set([pointer]);
  const add = (more: Set<string>) => {
    for (const each of more) own.add(each);
  };
  if (field.kind === "object") {
    const drafts = isSchema(draft) ? (draft as Record<string, Draft>) : {};
    for (const each of field.fields)
      add(shownPointers(each, drafts[each.name], `${pointer}/${escapePointer(each.name)}`));
  }
  if (field.kind === "list" && Array.isArray(draft)) {
    draft.forEach((item, index) => {
      add(shownPointers(field.item, item, `${pointer}/${index}`));
    });
  }
  return own;
}
