import { type FormEvent, useRef, useState } from "react";
import { type ApiError, toApiError } from "../api/errors";
import type { Task } from "../api/types";
import { request } from "../task/request";
import { WORDS } from "../task/verbs";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { TextField } from "../ui/Field";
import { CircleCheck, CircleCross } from "../ui/icons";
import { plain } from "../ui/text";
import styles from "./tasks.module.css";

/** Verbs that are asked for of several tasks. */
export type BulkVerb = "retry" | "cancel" | "resolve";

const FOLLOWS: Record<BulkVerb, string> = {
  retry: "Each goes on from what failed; what succeeded is not run again.",
  cancel: "Nothing more of them starts, what runs is told to stop, and none can be resumed.",
  resolve: "They stay failed, and are no longer counted among the open failures.",
};

type Result = "done" | ApiError;

/** One verb for several tasks: the consequence and the exact number before, a result for each task after. */
export function BulkDialog({ verb, tasks, onClose }: { verb: BulkVerb; tasks: Task[]; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const [confirmed, setConfirmed] = useState("");
  const [results, setResults] = useState<ReadonlyMap<string, Result>>();
  const stopped = useRef(false);
  const needed = String(tasks.length);
  const ready = reason.trim() !== "" && (verb !== "cancel" || confirmed === needed);
  const run = async (event: FormEvent) => {
    event.preventDefault();
    if (!ready || results) return;
    const got = new Map<string, Result>();
    setResults(got);
    for (const task of tasks) {
      if (stopped.current) return;
      const result = await request({ verb }, task.id, reason.trim(), undefined).then(
        () => "done" as const,
        toApiError,
      );
      got.set(task.id, result);
      setResults(new Map(got));
    }
  };
  const close = () => {
    stopped.current = true;
    onClose();
  };
  const refused = [...(results?.values() ?? [])].filter((result) => result !== "done").length;
  const count = tasks.length === 1 ? "1 task" : `${tasks.length} tasks`;
  return (
    <Dialog
      title={`${WORDS[verb].title}: ${count}`}
      onClose={close}
      actions={
        <>
          <Button onPress={close}>{results && results.size < tasks.length ? "Stop" : "Close"}</Button>
          {!results && (
            <Button
              look={verb === "cancel" ? "danger" : "primary"}
              type="submit"
              form="bulk"
              isDisabled={!ready}
            >
              {verb === "cancel" ? `Cancel ${count}` : `${WORDS[verb].button} (${tasks.length})`}
            </Button>
          )}
        </>
      }
    >
      <p>{FOLLOWS[verb]}</p>
      {!results && (
        <form id="bulk" onSubmit={(event) => void run(event)} className={styles.two}>
          <TextField
            label="Reason"
            hint="Kept with each task and in the audit log"
            required
            autoFocus
            autoComplete="off"
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
          {verb === "cancel" && (
            <TextField
              label={`Write ${needed}, the number of tasks, to confirm`}
              autoComplete="off"
              inputMode="numeric"
              value={confirmed}
              onChange={(event) => setConfirmed(event.target.value.trim())}
            />
          )}
        </form>
      )}
      {results && (
        <p role="status">
          {results.size} of {tasks.length} asked{refused > 0 && `, ${refused} refused`}.
        </p>
      )}
      <ul className={styles.results}>
        {tasks.map((task) => (
          <li key={task.id}>
            <Outcome result={results?.get(task.id)} />
            <bdi>{plain(task.name)}</bdi>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

function Outcome({ result }: { result: Result | undefined }) {
  if (result === undefined) return null;
  if (result === "done") {
    return (
      <span className={styles.done}>
        <CircleCheck />
        <span className="visually-hidden">done: </span>
      </span>
    );
  }
  return (
    <span className={styles.alarm}>
      <CircleCross /> {plain(result.message)}:
    </span>
  );
}
