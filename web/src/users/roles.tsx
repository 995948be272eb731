import type { Role } from "../api/types";
import { SelectField } from "../ui/Field";

/** What each role may do, in words. */
export const ROLES: Record<Role, string> = {
  VIEWER: "Looks at everything but accounts and the audit log, and changes nothing.",
  OPERATOR: "Also starts, retries, cancels and decides.",
  ADMIN: "May do everything.",
  WORKER: "Does the work of sub-tasks, and nothing else.",
};

/** A choice of a role. */
export function RoleField({
  value,
  onChange,
  autoFocus = false,
}: {
  value: Role;
  onChange: (role: Role) => void;
  autoFocus?: boolean;
}) {
  return (
    <SelectField
      label="Role"
      hint={ROLES[value]}
      autoFocus={autoFocus}
      value={value}
      onChange={(event) => onChange(event.target.value as Role)}
    >
      {Object.keys(ROLES).map((role) => (
        <option key={role}>{role}</option>
      ))}
    </SelectField>
  );
}

/** What is wrong with a new password, before the server is asked; undefined for an empty one, too. */
export function passwordFault(password: string): string | undefined {
  if (password === "") return undefined;
  const length = [...password].length;
  if (length < 12) return `12 characters or more; these are ${length}`;
  return length > 1024 ? "At most 1,024 characters" : undefined;
}
