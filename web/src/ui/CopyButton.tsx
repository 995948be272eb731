import { Button } from "./Button";
import { Copy } from "./icons";
import { notify } from "./notices";

/** Puts a text on the clipboard, and says so. Pages without TLS have no clipboard: the old way serves them. */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) return notify(`The browser does not let the page copy ${what}`, "bad");
  }
  notify(`Copied ${what}`);
}

/** A small button that copies `text`; `what` names it. */
export function CopyButton({ text, what, children }: { text: string; what: string; children?: string }) {
  return (
    <Button
      look="quiet"
      aria-label={children ? undefined : `Copy ${what}`}
      onPress={() => void copyText(text, what)}
    >
      <Copy />
      {children}
    </Button>
  );
}
