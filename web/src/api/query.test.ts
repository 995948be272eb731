import { describe, expect, it } from "vitest";
import { queryString } from "./query";

describe("query parameters", () => {
  it("have lists with commas, but for labels, which are given again and again", () => {
    const query = {
      taskStatus: ["FAILED", "PENDING"],
      label: ["a=b", "c&d"],
      openFailures: true,
      limit: undefined,
    };
    expect(queryString(query)).toBe("taskStatus=FAILED%2CPENDING&label=a%3Db&label=c%26d&openFailures=true");
  });
});
