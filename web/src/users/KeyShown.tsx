import { Button } from "../ui/Button";
import { copyText } from "../ui/CopyButton";
import { Dialog } from "../ui/Dialog";
import { TextField } from "../ui/Field";
import { plain } from "../ui/text";

/** A new API key, which the server tells this once. */
export interface NewKey {
  user: string;
  apiKey: string;
}

/** Shows a new API key. It is kept nowhere: once the dialog is closed nobody can see it again. */
export function KeyShown({ shown, onClose }: { shown: NewKey; onClose: () => void }) {
  return (
    <Dialog
      title={`API key of ${plain(shown.user)}`}
      onClose={onClose}
      actions={
        <>
          <Button onPress={() => void copyText(shown.apiKey, "the API key")}>Copy</Button>
          <Button look="primary" onPress={onClose}>
            I have it
          </Button>
        </>
      }
    >
      <p>It is shown this once. Keep it where its program reads it, and nobody else.</p>
      <TextField
        label="API key"
        readOnly
        autoFocus
        autoComplete="off"
        value={shown.apiKey}
        onFocus={(event) => event.target.select()}
      />
    </Dialog>
  );
}
