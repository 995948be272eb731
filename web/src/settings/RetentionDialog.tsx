import { useState } from "react";
import { api, must } from "../api/client";
import { ActionDialog } from "../ui/ActionDialog";
import { TextField } from "../ui/Field";
import { days, useRetention } from "./SettingsPage";

/** Sets for how many days ended tasks are kept. */
export function RetentionDialog({ onClose }: { onClose: () => void }) {
  const now = useRetention().data?.retentionDays;
  const [text, setText] = useState(now?.toString() ?? "");
  const whole = /^\d{1,9}$/.test(text.trim());
  const next = Number(text.trim());
  return (
    <ActionDialog
      title="How long ended tasks are kept"
      facts={[
        whole && now !== undefined && next < now
          ? `Tasks that ended more than ${days(next)} ago are deleted soon, for ever.`
          : "Tasks are deleted once they ended longer ago than this.",
        "Tasks that have not ended, hold a resource or await a decision are never deleted by age.",
      ]}
      button="Set"
      danger={now !== undefined && next < now}
      ready={whole && next !== now}
      run={() => must(api.PATCH("/v1/tasks/config/settings", { body: { retentionDays: next } }))}
      done={`Ended tasks are kept for ${days(next)}`}
      stale={[["settings"]]}
      onClose={onClose}
    >
      <TextField
        label="Days"
        hint="From 1 to 65,535"
        inputMode="numeric"
        autoFocus
        autoComplete="off"
        error={text.trim() === "" || whole ? undefined : "This is not a whole number"}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </ActionDialog>
  );
}
