import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ApiError } from "../api/errors";
import { atFields, faultsOf } from "./refusal";
import { collect, draftOf, type Field, fieldOf, type Schema, sameJson, shownPointers } from "./schema";

interface Case {
  schema: Schema;
  value: unknown;
}

const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 8 }),
  fc.constantFrom("a/b", "~", "__proto__", "0"),
);
const leaf = fc.oneof<fc.Arbitrary<Case>[]>(
  fc.string({ minLength: 1 }).map((value) => ({ schema: { type: "string" }, value })),
  fc.integer().map((value) => ({ schema: { type: "integer" }, value })),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map((value) => ({ schema: { type: "number" }, value: value + 0 })),
  fc.boolean().map((value) => ({ schema: { type: ["boolean", "null"] }, value })),
  fc
    .uniqueArray(fc.jsonValue(), { minLength: 1, comparator: sameJson })
    .map((values) => ({ schema: { enum: values }, value: values.at(-1) })),
  fc.jsonValue().map((value) => ({ schema: { oneOf: [{}] }, value })),
  fc.string({ minLength: 1 }).map((value) => ({ schema: { $ref: "#/$defs/text" }, value })),
);
const tree = fc.letrec<{ node: Case }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(leaf, { minLength: 0, maxLength: 1 }).map((items) => ({
      schema: { type: "array", items: items[0]?.schema ?? { type: "string" } },
      value: items.map((item) => item.value),
    })),
    fc
      .uniqueArray(fc.tuple(name, tie("node"), fc.boolean()), { maxLength: 5, selector: ([each]) => each })
      .map((members) => ({
        schema: {
          type: "object",
          required: members.filter(([, , needed]) => needed).map(([each]) => each),
          properties: Object.fromEntries(members.map(([each, part]) => [each, part.schema])),
        },
        value: Object.fromEntries(members.map(([each, part]) => [each, part.value])),
      })),
  ),
})).node;

const rooted = (schema: Schema): Field => fieldOf({ ...schema, $defs: { text: { type: "string" } } }, schema);

describe("a form from a schema", () => {
  it("sends exactly the input that it shows, for every schema and input", () => {
    fc.assert(
      fc.property(tree, ({ schema, value }) => {
        // Only JSON: -0 is 0 there.
        const input = JSON.parse(JSON.stringify(value)) as unknown;
        const field = rooted(schema);
        const draft = draftOf(field, input);
        expect(draft).toBeDefined();
        expect(sameJson(collect(field, draft).value, input)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
  it("refuses to show an input of which a part would be lost", () => {
    const field = rooted({ type: "object", properties: { a: { type: "string" } } });
    expect(draftOf(field, { a: "x", b: 1 })).toBeUndefined();
    expect(draftOf(field, { a: 3 })).toBeUndefined();
    expect(draftOf(field, [])).toBeUndefined();
  });
  it("leaves out what is not filled in, and says what is no number", () => {
    const field = rooted({
      type: "object",
      properties: { n: { type: "integer" }, o: { type: "object", properties: { x: { type: "string" } } } },
    });
    expect(collect(field, {})).toEqual({ value: {}, errors: new Map() });
    for (const text of ["1.5", "x", "0x10", "9007199254740993", "1e999", "- 1"]) {
      expect([...collect(field, { n: text }).errors.keys()]).toEqual(["/n"]);
    }
  });
  it("keeps secrets hidden below a secret", () => {
    const field = rooted({
      type: "object",
      properties: { login: { type: "object", writeOnly: true, properties: { p: { type: "string" } } } },
    });
    const login = field.kind === "object" ? field.fields[0] : undefined;
    expect(login?.kind === "object" && login.fields[0]?.secret).toBe(true);
  });
  it("ends for a schema that contains itself", () => {
    const schema = { type: "object", properties: { next: { $ref: "#" } } };
    expect(shownPointers(fieldOf(schema, schema), {}).has("/next/next")).toBe(true);
    expect(fieldOf({ $ref: "#" }, { $ref: "#" }).kind).toBe("json");
  });
});

describe("a refused input", () => {
  const refused = new ApiError(400, {
    message: "no",
    nestedErrors: [
      { message: '/input/a: "b/c" is a required property', context: { pointer: "/input/a" } },
      { message: "/input/l/1/x: not good", context: { pointer: "/input/l/1/x" } },
      { message: "/input: Additional properties", context: { pointer: "/input" } },
    ],
  });
  it("is explained at its fields, and what has no field at the one around it", () => {
    const faults = faultsOf(refused);
    expect([...faults.keys()]).toEqual(["/a/b~1c", "/l/1/x", ""]);
    const shown = atFields(faults, new Set(["", "/a", "/a/b~1c", "/l"]));
    expect(Object.fromEntries(shown)).toEqual({
      "/a/b~1c": "A value is needed",
      "/l": "1/x: not good",
      "": "Additional properties",
    });
  });
});
