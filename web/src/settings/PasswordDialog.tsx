import { useState } from "react";
import { api, must, signalSignedOut } from "../api/client";
import { ActionDialog } from "../ui/ActionDialog";
import { TextField } from "../ui/Field";
import { notify } from "../ui/notices";
import { passwordFault } from "../users/roles";

/** Changes the password of whoever is signed in, whose sessions all end by it. */
export function PasswordDialog({ onClose }: { onClose: () => void }) {
  const [before, setBefore] = useState("");
  const [next, setNext] = useState("");
  const [again, setAgain] = useState("");
  const fault = passwordFault(next);
  const other = again !== "" && again !== next ? "This is not the same" : undefined;
  const field = (label: string, value: string, set: (text: string) => void, more: object) => (
    <TextField
      label={label}
      type="password"
      value={value}
      onChange={(event) => set(event.target.value)}
      {...more}
    />
  );
  return (
    <ActionDialog
      title="Change your password"
      facts={["Every session of yours ends, this one too: you sign in again. API keys stay."]}
      button="Change the password"
      ready={before !== "" && next !== "" && !fault && next === again}
      command="longhaul user passwd"
      run={() =>
        must(api.PATCH("/v1/users/me/password", { body: { oldPassword: before, newPassword: next } }))
      }
      stale={[]}
      onDone={() => {
        notify("Your password is changed: sign in with it");
        signalSignedOut();
      }}
      onClose={onClose}
    >
      {field("Password until now", before, setBefore, { autoFocus: true, autoComplete: "current-password" })}
      {field("New password", next, setNext, {
        ...{ autoComplete: "new-password", hint: "12 characters or more", error: fault },
      })}
      {field("New password again", again, setAgain, { autoComplete: "new-password", error: other })}
    </ActionDialog>
  );
}
