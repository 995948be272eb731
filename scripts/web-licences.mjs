// Checks the licences of the packages that the web page is made of by the list that deny.toml has for crates. What only builds or
// tests the page is not part of it.
import { readFileSync } from "node:fs";

const list = /^allow = \[(.*)\]$/m.exec(readFileSync("deny.toml", "utf8"))[1];
// Like MIT-0, it asks for nothing, not even to be named.
const allowed = new Set([...list.matchAll(/"([^"]+)"/g)].map((match) => match[1]).concat("0BSD"));
const { packages } = JSON.parse(readFileSync("web/package-lock.json", "utf8"));
const part = Object.entries(packages).filter(([path, found]) => path !== "" && !found.dev);
const refused = part.filter(([, found]) => !allowed.has(found.license));
for (const [path, found] of refused) {
  console.error(`${path}: the licence ${found.license ?? "(none)"} is not in deny.toml`);
}
if (refused.length > 0 || part.length === 0) process.exit(1);
console.log(`licences: ${part.length} packages of the page are in order`);
