import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, must } from "../api/client";
import { commandLine } from "../api/commands";
import type { Task } from "../api/types";
import { Button } from "../ui/Button";
import { CopyButton } from "../ui/CopyButton";
import { Dialog } from "../ui/Dialog";
import { ErrorBox } from "../ui/ErrorBox";
import { TextField } from "../ui/Field";
import { notify } from "../ui/notices";
import { plain } from "../ui/text";
import { request } from "./request";
import { useLocks } from "./useTask";
import styles from "./VerbDialog.module.css";
import { type Asked, consequences, readersOf, type Verb, WORDS } from "./verbs";

function commandOf(asked: Asked, id: string, reason: string): string {
  const { verb, subTask } = asked;
  if (verb === "retry") return commandLine.retry(id, reason);
  if (verb === "cancel") return commandLine.cancel(id, reason);
  if (verb === "release") return commandLine.release(id, reason);
  if (verb === "skip" && subTask) return commandLine.skip(id, subTask, reason);
  if (asked.all) return commandLine.resolve(id, "all", verb === "skip" ? "skipped" : verb, reason);
  return commandLine.resolve(id, subTask ? [subTask] : [], verb === "resolve" ? undefined : verb, reason);
}

function parse(text: string): { value?: unknown; error?: string } {
  if (!text.trim()) return {};
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return { error: "This is not JSON: a text needs quotation marks" };
  }
}

/** A verb's consequences before, its reason, and its refusal if there is one; its success is reported afterwards. */
export function VerbDialog({ task, asked, onClose }: { task: Task; asked: Asked; onClose: () => void }) {
  const words = WORDS[asked.verb];
  const [reason, setReason] = useState("");
  const [output, setOutput] = useState("");
  const queries = useQueryClient();
  const locks = useLocks(task.id, task.resources ?? []);
  const workflow = useDefinition(task, asked);
  const parsed = parse(output);
  const call = useMutation({
    mutationFn: () => request(asked, task.id, reason.trim(), parsed.value),
    onSuccess: () => {
      notify(`${plain(task.name)}: ${words.done}`);
      void queries.invalidateQueries({ queryKey: ["task", task.id] });
      onClose();
    },
  });
  const readers = workflow && asked.subTask ? readersOf(workflow, asked.subTask) : [];
  const missing = words.reasonNeeded && !reason.trim();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!missing && !parsed.error && !call.isPending) call.mutate();
  };
  return (
    <Dialog
      title={
        asked.subTask ? `${words.title}: ${plain(asked.subTask)}` : `${words.title}: ${plain(task.name)}`
      }
      onClose={onClose}
      actions={
        <>
          <CopyButton text={commandOf(asked, task.id, reason.trim() || "REASON")} what="the command line">
            Copy as CLI
          </CopyButton>
          <Button onPress={onClose}>Close</Button>
          <Button
            look={asked.verb === "cancel" || asked.verb === "release" ? "danger" : "primary"}
            type="submit"
            form="verb"
            isDisabled={missing || !!parsed.error || call.isPending}
          >
            {call.isPending ? "Asking the server…" : words.button}
          </Button>
        </>
      }
    >
      <ul className={styles.facts}>
        {consequences(asked, task, locks.data ?? [], readers).map((fact) => (
          <li key={fact}>
            <bdi>{fact}</bdi>
          </li>
        ))}
      </ul>
      <form id="verb" onSubmit={submit} className={styles.form}>
        <TextField
          label={words.reasonNeeded ? "Reason" : "Reason (optional)"}
          hint="Kept with the task and in the audit log, for those who look later"
          required={words.reasonNeeded}
          autoFocus
          autoComplete="off"
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
        {asked.verb === "done" && asked.subTask && (
          <TextField
            label="Output (optional)"
            hint="JSON that later steps read as the output of this one"
            error={parsed.error}
            autoComplete="off"
            value={output}
            onChange={(event) => setOutput(event.target.value)}
          />
        )}
      </form>
      {call.isError && <ErrorBox error={call.error} />}
    </Dialog>
  );
}

const READS_OUTPUTS: Verb[] = ["done", "skip"];

/** The definition of the task's workflow version, for the verbs on which its other steps depend. */
function useDefinition(task: Task, asked: Asked): unknown {
  const { name, version } = (task.workflow ?? {}) as { name?: string; version?: number };
  return useQuery({
    queryKey: ["workflow", name, version],
    enabled: !!name && READS_OUTPUTS.includes(asked.verb),
    queryFn: () =>
      must(
        api.GET("/v1/workflows/{name}", {
          params: { path: { name: name ?? "" }, query: version === undefined ? {} : { version } },
        }),
      ),
  }).data?.definition;
}
