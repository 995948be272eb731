import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useId } from "react";
import styles from "./ActionDialog.module.css";
import { Button } from "./Button";
import { CopyButton } from "./CopyButton";
import { Dialog } from "./Dialog";
import { ErrorBox } from "./ErrorBox";
import { notify } from "./notices";

interface Props<T> {
  title: string;
  /** What follows from the action, each a sentence. */
  facts: string[];
  /** The words on the button that does it. */
  button: string;
  danger?: boolean;
  /** False while the fields are not complete. */
  ready?: boolean;
  run: () => Promise<T>;
  /** The report of a success; undefined when `onDone` shows one. */
  done?: string;
  onDone?: (result: T) => void;
  /** Queries that the action makes stale. */
  stale: QueryKey[];
  /** The same as a command for a terminal. */
  command?: string;
  onClose: () => void;
  /** Fields. */
  children?: ReactNode;
}

/** A dialog that says what follows from an action, does it, and shows a refusal where it was asked for. */
export function ActionDialog<T>(props: Props<T>) {
  const { title, facts, button, danger = false, ready = true, run, done, onDone, stale, onClose } = props;
  const queries = useQueryClient();
  const form = useId();
  const call = useMutation({
    mutationFn: run,
    onSuccess: (result) => {
      for (const queryKey of stale) void queries.invalidateQueries({ queryKey });
      if (done) notify(done);
      onClose();
      onDone?.(result);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready && !call.isPending) call.mutate();
  };
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          {props.command && (
            <CopyButton text={props.command} what="the command line">
              Copy as CLI
            </CopyButton>
          )}
          <Button onPress={onClose}>Close</Button>
          <Button
            look={danger ? "danger" : "primary"}
            type="submit"
            form={form}
            isDisabled={!ready || call.isPending}
            autoFocus={!props.children}
          >
            {call.isPending ? "Asking the server…" : button}
          </Button>
        </>
      }
    >
      {facts.length > 0 && (
        <ul className={styles.facts}>
          {facts.map((fact) => (
            <li key={fact}>
              <bdi>{fact}</bdi>
            </li>
          ))}
        </ul>
      )}
      <form id={form} onSubmit={submit} className={styles.form}>
        {props.children}
      </form>
      {call.isError && <ErrorBox error={call.error} />}
    </Dialog>
  );
}
