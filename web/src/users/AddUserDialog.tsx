import { useState } from "react";
import { api, must } from "../api/client";
import type { Role } from "../api/types";
import { ActionDialog } from "../ui/ActionDialog";
import { SelectField, TextField } from "../ui/Field";
import { plain } from "../ui/text";
import type { NewKey } from "./KeyShown";
import { passwordFault, RoleField } from "./roles";

/** The names of queues in a text, apart by commas or spaces. */
export const queuesOf = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);

/** Makes an account: of a person with a password, of a service with an API key, which `onKey` is given. */
export function AddUserDialog({ onClose, onKey }: { onClose: () => void; onKey: (key: NewKey) => void }) {
  const [name, setName] = useState("");
  const [kind, setKind] = useState<"USER" | "SERVICE">("USER");
  const [role, setRole] = useState<Role>("VIEWER");
  const [password, setPassword] = useState("");
  const [queues, setQueues] = useState("");
  const service = kind === "SERVICE";
  const fault = passwordFault(password);
  const bound = role === "WORKER" && queuesOf(queues).length > 0 ? { queues: queuesOf(queues) } : {};
  const spec = { name: name.trim(), role, ...bound };
  return (
    <ActionDialog
      title="Add an account"
      facts={[]}
      button="Add"
      ready={name.trim() !== "" && (service || (password !== "" && !fault))}
      run={() =>
        must(
          api.POST("/v1/users", {
            body: service ? { ...spec, kind: "SERVICE" } : { ...spec, kind: "USER", password },
          }),
        )
      }
      done={`The account ${plain(name.trim())} was made`}
      stale={[["users"]]}
      onDone={(user) => user.apiKey && onKey({ user: user.name, apiKey: user.apiKey })}
      onClose={onClose}
    >
      <TextField
        label="Name"
        hint="Letters, digits and . _ @ \ + -; case does not matter"
        autoFocus
        autoComplete="off"
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <SelectField
        label="Kind"
        hint={service ? "A program: its API key is shown once" : "A person, who logs in with a password"}
        value={kind}
        onChange={(event) => setKind(event.target.value === "SERVICE" ? "SERVICE" : "USER")}
      >
        <option value="USER">Person</option>
        <option value="SERVICE">Service</option>
      </SelectField>
      <RoleField value={role} onChange={setRole} />
      {role === "WORKER" && (
        <TextField
          label="Queues (optional)"
          hint="Those that it may work on, apart by commas; * stands for any text; any unless given"
          autoComplete="off"
          value={queues}
          onChange={(event) => setQueues(event.target.value)}
        />
      )}
      {!service && (
        <TextField
          label="Password"
          hint="12 characters or more"
          type="password"
          autoComplete="new-password"
          error={fault}
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
      )}
    </ActionDialog>
  );
}
