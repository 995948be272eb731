import { useState } from "react";
import { api, must } from "../api/client";
import { shellWord } from "../api/commands";
import type { User } from "../api/types";
import { ActionDialog } from "../ui/ActionDialog";
import { TextField } from "../ui/Field";
import { plain } from "../ui/text";
import { passwordFault, RoleField } from "./roles";

/** What is asked of an account. */
export type AskedOfUser =
  | { verb: "role" | "password" | "enable" | "disable" | "delete" | "addKey" }
  | { verb: "deleteKey"; key: string };

interface Props {
  user: User;
  onClose: () => void;
  onKey: (apiKey: string) => void;
  onDeleted: () => void;
}

const STALE = [["users"], ["sessions"]];

const update = (name: string, body: object) =>
  must(api.PATCH("/v1/users/{name}", { params: { path: { name } }, body }));

/** The dialog of one thing that an administrator does with an account. */
export function UserDialog({ asked, ...props }: Props & { asked: AskedOfUser }) {
  switch (asked.verb) {
    case "role":
      return <ChangeRole {...props} />;
    case "password":
      return <SetPassword {...props} />;
    case "addKey":
      return <AddKey {...props} />;
    case "deleteKey":
      return <DeleteKey {...props} id={asked.key} />;
    case "delete":
      return <Delete {...props} />;
    default:
      return <Enable {...props} enable={asked.verb === "enable"} />;
  }
}

function ChangeRole({ user, onClose }: Props) {
  const [role, setRole] = useState(user.role);
  const name = plain(user.name);
  return (
    <ActionDialog
      title={`Role of ${name}`}
      facts={[`It is ${user.role} now. The new role counts from the account's next request on.`]}
      button="Change the role"
      ready={role !== user.role}
      command={`longhaul user role ${shellWord(user.name)} ${role}`}
      run={() => update(user.name, { role })}
      done={`${name} has the role ${role}`}
      stale={STALE}
      onClose={onClose}
    >
      <RoleField autoFocus value={role} onChange={setRole} />
    </ActionDialog>
  );
}

function SetPassword({ user, onClose }: Props) {
  const [password, setPassword] = useState("");
  const fault = passwordFault(password);
  const name = plain(user.name);
  return (
    <ActionDialog
      title={`Password of ${name}`}
      facts={["Every session of the account ends; API keys stay."]}
      button="Set the password"
      ready={password !== "" && !fault}
      command={`longhaul user passwd ${shellWord(user.name)}`}
      run={() => update(user.name, { password })}
      done={`${name} has a new password`}
      stale={STALE}
      onClose={onClose}
    >
      <TextField
        label="New password"
        hint="12 characters or more"
        type="password"
        autoFocus
        autoComplete="new-password"
        error={fault}
        value={password}
        onChange={(event) => setPassword(event.target.value)}
      />
    </ActionDialog>
  );
}

function Enable({ user, enable, onClose }: Props & { enable: boolean }) {
  const name = plain(user.name);
  return (
    <ActionDialog
      title={`${enable ? "Enable" : "Disable"} ${name}`}
      facts={
        enable
          ? ["The account is let in again, by password and by its API keys."]
          : [
              "The account is let in no more, at once: its sessions end, and its API keys are refused.",
              "Tasks that it started go on.",
            ]
      }
      button={enable ? "Enable" : "Disable"}
      danger={!enable}
      command={`longhaul user ${enable ? "enable" : "disable"} ${shellWord(user.name)}`}
      run={() => update(user.name, { disabled: !enable })}
      done={`${name} is ${enable ? "enabled" : "disabled"}`}
      stale={STALE}
      onClose={onClose}
    />
  );
}

function Delete({ user, onClose, onDeleted }: Props) {
  const name = plain(user.name);
  const keys = user.apiKeys.length;
  return (
    <ActionDialog
      title={`Delete ${name}`}
      facts={[
        keys === 0
          ? "The account and its sessions are deleted."
          : `The account, its sessions and its ${keys === 1 ? "API key" : `${keys} API keys`} are deleted.`,
        "Tasks that it started go on, and the audit log keeps its name.",
      ]}
      button="Delete"
      danger
      command={`longhaul user delete ${shellWord(user.name)}`}
      run={() => must(api.DELETE("/v1/users/{name}", { params: { path: { name: user.name } } }))}
      done={`${name} was deleted`}
      stale={STALE}
      onDone={onDeleted}
      onClose={onClose}
    />
  );
}

function AddKey({ user, onClose, onKey }: Props) {
  const [label, setLabel] = useState("");
  return (
    <ActionDialog
      title={`Add an API key to ${plain(user.name)}`}
      facts={[
        "The key is shown once. It lets a program in with the role of the account until it is deleted.",
      ]}
      button="Add"
      command={`longhaul user key add ${shellWord(user.name)}${label ? ` --name ${shellWord(label)}` : ""}`}
      run={() =>
        must(
          api.POST("/v1/users/{name}/api-keys", {
            params: { path: { name: user.name } },
            body: label.trim() ? { name: label.trim() } : {},
          }),
        )
      }
      stale={STALE}
      onDone={(made) => onKey(made.apiKey)}
      onClose={onClose}
    >
      <TextField
        label="Name (optional)"
        hint="What people call it, such as the program that has it"
        autoFocus
        autoComplete="off"
        maxLength={64}
        value={label}
        onChange={(event) => setLabel(event.target.value)}
      />
    </ActionDialog>
  );
}

function DeleteKey({ user, id, onClose }: Props & { id: string }) {
  return (
    <ActionDialog
      title={`Delete an API key of ${plain(user.name)}`}
      facts={["Whoever has the key is let in no more, at once.", "Every session of the account ends."]}
      button="Delete"
      danger
      command={`longhaul user key delete ${shellWord(user.name)} ${shellWord(id)}`}
      run={() =>
        must(api.DELETE("/v1/users/{name}/api-keys/{id}", { params: { path: { name: user.name, id } } }))
      }
      done="The API key was deleted"
      stale={STALE}
      onClose={onClose}
    />
  );
}
