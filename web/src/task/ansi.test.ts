import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plain } from "../ui/text";
import { runsOf } from "./ansi";

const piece = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "\u001b[31m",
    "\u001b[1;92m",
    "\u001b[0m",
    "\u001b[38;5;200m",
    "\u001b[2J",
    "\u001b]0;title\u0007",
    "\u001b",
  ),
  fc.constantFrom(
    "\u202e",
    "\u0000",
    "\r",
    "\u009b31m",
    "<script>",
    "\u001b]8;;javascript:alert(1)\u001b\\x",
  ),
);
const line = fc.array(piece).map((pieces) => pieces.join(""));

describe("lines of logs", () => {
  it("have nothing left that steers a terminal or turns the direction of writing", () => {
    fc.assert(
      fc.property(line, (text) => {
        const shown = runsOf(text)
          .map((run) => run.text)
          .join("");
        expect(shown).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      }),
    );
  });
  it("without control sequences are shown as they are", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const shown = runsOf(text).map((run) => run.text);
        expect(shown.join("")).toBe(plain(text));
      }),
    );
  });
  it("keep the colours that programs give", () => {
    expect(runsOf("a\u001b[1;31mb\u001b[0mc\u001b[38;5;9md")).toEqual([
      { text: "a" },
      { text: "b", bold: true, color: 1 },
      { text: "c" },
      { text: "d" },
    ]);
  });
});
