import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Difference, differences, secretPointers, stillEmpty, touches, unmasked } from "./again";
import { fieldOf, sameJson } from "./schema";

const json = fc
  .jsonValue({ maxDepth: 4 })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  .filter((value) => !JSON.stringify(value).includes("<redacted>"));

/** What `root` becomes when the value at the difference's place is set or taken away. */
function applied(root: unknown, { pointer, now }: Difference): unknown {
  const parts = pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const put = (at: unknown, [first, ...rest]: string[]): unknown => {
    if (first === undefined) return now;
    const members = new Map(Object.entries(at as object));
    const next = put(members.get(first), rest);
    if (next === undefined) members.delete(first);
    else members.set(first, next);
    return Array.isArray(at) ? [...members.values()] : Object.fromEntries(members);
  };
  return put(root, parts);
}

describe("the differences of two inputs", () => {
  it("are none for equal ones, and turn the first into the second", () => {
    fc.assert(
      fc.property(json, json, (was, now) => {
        expect(differences(was, was)).toEqual([]);
        const found = differences(was, now);
        // Items are taken off the end of a list first, as their places are counted from its start.
        const ordered = [
          ...found.filter((each) => "now" in each),
          ...found.filter((each) => !("now" in each)).reverse(),
        ];
        expect(sameJson(ordered.reduce(applied, was), now)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
  it("name the innermost place that differs", () => {
    const was = { host: { fqdn: "a", port: 1 }, tags: ["x", "y"] };
    expect(differences(was, { host: { fqdn: "b", port: 1 }, tags: ["x"] })).toEqual([
      { pointer: "/host/fqdn", was: "a", now: "b" },
      { pointer: "/tags/1", was: "y" },
    ]);
  });
});

describe("an input with masked secrets", () => {
  it("loses every one of them and nothing else", () => {
    const marked = fc.dictionary(
      fc.string({ maxLength: 5 }),
      fc.oneof(
        json,
        fc.constantFrom("<redacted>", "token <redacted>"),
        fc.array(fc.constantFrom("a", "<redacted>")),
      ),
    );
    fc.assert(
      fc.property(marked, (dictionary) => {
        const shown = JSON.parse(JSON.stringify(dictionary)) as unknown;
        const { value, masked } = unmasked(shown);
        expect(JSON.stringify(value)).not.toContain("<redacted>");
        expect(
          differences(shown, value)
            .map((each) => each.pointer)
            .sort(),
        ).toEqual([...masked].sort());
      }),
      { numRuns: 300 },
    );
  });
  it("keeps the places of a list, and tells which items must be written again", () => {
    const { value, masked } = unmasked({ keys: ["a", "<redacted>", ""], password: "<redacted>" });
    expect(value).toEqual({ keys: ["a", "", ""] });
    expect([...masked]).toEqual(["/keys/1", "/password"]);
    expect(stillEmpty(value, masked)).toEqual(["/keys/1"]);
    expect(stillEmpty({ keys: ["a", "new"] }, masked)).toEqual([]);
  });
});

describe("secrets of a form", () => {
  it("are found in objects and lists, and cover what is in and around them", () => {
    const schema = {
      type: "object",
      properties: {
        login: { type: "object", writeOnly: true, properties: { p: { type: "string" } } },
        hosts: { type: "array", items: { type: "object", properties: { key: { writeOnly: true } } } },
      },
    };
    const found = secretPointers(fieldOf(schema, schema), { hosts: [{}, {}] });
    expect(found).toEqual(["/login", "/hosts/0/key", "/hosts/1/key"]);
    expect(["/login/p", "/hosts", "/hosts/1"].every((each) => touches(each, found))).toBe(true);
    expect(touches("/hosts/2", found) || touches("/log", found)).toBe(false);
  });
});
