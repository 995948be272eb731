import { plain, sentence } from "./text";

/** A message of the server as a sentence; what it puts in backquotes is shown as code. */
export function Prose({ text }: { text: string }) {
  const parts = sentence(plain(text)).split("`");
  // Backquotes come in pairs; a text with an odd one is left as it is.
  if (parts.length % 2 === 0) return <bdi>{parts.join("`")}</bdi>;
  let at = 0;
  return (
    <bdi>
      {parts.map((part, index) => {
        at += part.length + 1;
        return index % 2 === 1 ? <code key={at}>{part}</code> : <span key={at}>{part}</span>;
      })}
    </bdi>
  );
}
