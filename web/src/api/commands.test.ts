import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commandLine, shellWord } from "./commands";

describe("words of a shell", () => {
  it("reach the program as they are, whatever is in them", () => {
    const texts = fc.sample(fc.string({ unit: "binary", maxLength: 20 }), { numRuns: 200, seed: 7 });
    const hostile = ["$(id)", "`id`", "a'b", "a\nb", "-x; rm", "'; id #", "$HOME", "*", "!x", "\\", ""];
    // A text of UTF-16 with half a character cannot be an argument of any program.
    const all = [...texts, ...hostile].map((text) => text.toWellFormed().replaceAll("\0", ""));
    const script = `for w in ${all.map(shellWord).join(" ")}; do printf '%s\\0' "$w"; done`;
    const output = execFileSync("sh", ["-c", script], { encoding: "utf8" });
    expect(output.split("\0").slice(0, -1)).toEqual(all);
  });
  it("make a command of the list's filters", () => {
    const filters = {
      ...{ status: ["FAILED"], open: true, name: "it's", type: "", resourceId: "", resourceType: "HOST" },
      ...{ labels: ["a=b"], ended: "24h", orderBy: "creationTimestamp", ascending: false, page: 2 },
    };
    expect(commandLine.list(filters)).toBe(
      "longhaul task list --status failed,open-failures --name 'it'\\''s' --resource-type HOST --label a=b " +
        "--completed-after 24h --page 2 --page-size 100",
    );
  });
});
