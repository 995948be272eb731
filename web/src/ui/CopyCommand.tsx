import { Button } from "./Button";
import { copyText } from "./CopyButton";
import { Terminal } from "./icons";

/** Copies what a page shows as a command for a terminal. */
export function CopyCommand({ text }: { text: string }) {
  return (
    <Button onPress={() => void copyText(text, "the command line")}>
      <Terminal />
      Copy as CLI
    </Button>
  );
}
