/** JSON in pieces that have a colour each. */

/** What a piece of JSON is; `plain` is punctuation and space, `expression` what a workflow computes inside a text. */
export type Kind = "key" | "text" | "number" | "word" | "plain" | "expression";

export interface Piece {
  kind: Kind;
  text: string;
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|(true|false|null)/g;
const EXPRESSION = /\{\{.*?\}\}/gs;

/** The pieces of a JSON document; together they are the document. */
export function pieces(json: string): Piece[] {
  const found: Piece[] = [];
  const push = (kind: Kind, text: string) => {
    if (text) found.push({ kind, text });
  };
  let at = 0;
  for (const match of json.matchAll(TOKEN)) {
    push("plain", json.slice(at, match.index));
    const [all, text, colon, number] = match;
    if (text === undefined) push(number === undefined ? "word" : "number", all);
    else if (colon !== undefined) {
      push("key", text);
      push("plain", colon);
    } else {
      let inside = 0;
      for (const expression of text.matchAll(EXPRESSION)) {
        push("text", text.slice(inside, expression.index));
        push("expression", expression[0]);
        inside = expression.index + expression[0].length;
      }
      push("text", text.slice(inside));
    }
    at = match.index + all.length;
  }
  push("plain", json.slice(at));
  return found;
}
