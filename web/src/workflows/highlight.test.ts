import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pieces } from "./highlight";

describe("highlighted JSON", () => {
  it("is the document, whatever is in it, and its keys are the keys", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const json = JSON.stringify(value, null, 2);
        const found = pieces(json);
        expect(found.map((piece) => piece.text).join("")).toBe(json);
        const keys: string[] = [];
        JSON.stringify(value, function (this: unknown, key, part: unknown) {
          if (!Array.isArray(this) && !(key === "" && part === value)) keys.push(key);
          return part;
        });
        const shown = found.filter((piece) => piece.kind === "key").map((piece) => JSON.parse(piece.text));
        expect(shown.length).toBe(keys.length);
        expect(
          found.filter((piece) => piece.kind === "plain").every((piece) => /^[\s{}[\],:]*$/.test(piece.text)),
        ).toBe(true);
      }),
    );
  });
  it("shows the expressions in texts", () => {
    const found = pieces('{"a": "x {{ input.b }} y"}').filter((piece) => piece.kind === "expression");
    expect(found).toEqual([{ kind: "expression", text: "{{ input.b }}" }]);
  });
});
