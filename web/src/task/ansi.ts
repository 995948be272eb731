/** Lines of logs, which come from programs and may hold anything, as runs of text with a look. */

import { plain } from "../ui/text";

/** A run of text; `color` is 0 to 7 of the terminal's colours. */
export interface Run {
  text: string;
  color?: number;
  bold?: boolean;
}

// Colours (SGR), then every other control sequence.
const SEQUENCE =
  /\u001b\[([0-9;]*)m|\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|.?)/g;
/** The runs of a line: colours and weight are kept, every other control sequence is dropped. */
export function runsOf(line: string): Run[] {
  const runs: Run[] = [];
  let look: Omit<Run, "text"> = {};
  let at = 0;
  const push = (text: string) => text && runs.push({ text: plain(text), ...look });
  for (const match of line.matchAll(SEQUENCE)) {
    push(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[1] !== undefined) look = restyle(look, match[1]);
  }
  push(line.slice(at));
  return runs;
}

function restyle(look: Omit<Run, "text">, codes: string): Omit<Run, "text"> {
  const next = { ...look };
  const list = codes.split(";").map(Number);
  for (let i = 0; i < list.length; i++) {
    const code = list[i] ?? 0;
    if (code === 38 || code === 48) i += list[i + 1] === 5 ? 2 : 4;
    else if (code === 0) {
      delete next.color;
      delete next.bold;
    } else if (code === 1) next.bold = true;
    else if (code === 22) delete next.bold;
    else if (code >= 30 && code <= 37) next.color = code - 30;
    else if (code >= 90 && code <= 97) next.color = code - 90;
    else if (code === 39) delete next.color;
  }
  return next;
}
