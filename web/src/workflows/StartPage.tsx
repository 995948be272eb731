import { type FormEvent, useEffect, useMemo, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import { adminLine } from "../api/admin-commands";
import type { Task, Workflow } from "../api/types";
import { useMay } from "../app/session-context";
import { ORIGIN_LABEL } from "../tasks/origin";
import { Button } from "../ui/Button";
import { CopyButton } from "../ui/CopyButton";
import { Empty, ErrorBox, Remark } from "../ui/ErrorBox";
import { CodeField, TextField } from "../ui/Field";
import { useAddress } from "../ui/Filters";
import { notify } from "../ui/notices";
import { PageHead } from "../ui/PageHead";
import { Section } from "../ui/Section";
import { plain } from "../ui/text";
import { Changes, OriginalRemark, useOriginal } from "./Again";
import { stillEmpty, unmasked } from "./again";
import { atFields, faultsOf } from "./refusal";
import { SchemaField } from "./SchemaField";
import { collect, type Draft, draftOf, fieldOf, shownPointers } from "./schema";
import styles from "./start.module.css";
import { labelsOf, type StartSpec, useStart } from "./useStart";
import { useWorkflow } from "./useWorkflows";

/** The form that starts a task of a workflow. */
export function StartPage({ name }: { name: string }) {
  const [{ version: asked, from }] = useAddress(["version", "from"]);
  const version = /^\d{1,9}$/.test(asked) ? Number(asked) : undefined;
  const query = useWorkflow(name, version);
  const original = useOriginal(from);
  const operator = useMay("OPERATOR");
  if (!operator) {
    return (
      <Empty title="Your role does not allow tasks to be started.">
        <p>It needs the role OPERATOR or ADMIN.</p>
      </Empty>
    );
  }
  return (
    <>
      <PageHead
        title={`Start ${name}`}
        facts={
          <Link href={`/workflows/${encodeURIComponent(name)}${asked ? `?version=${asked}` : ""}`}>
            The workflow
          </Link>
        }
      />
      {query.isError && <ErrorBox error={query.error} />}
      {original.isError && <ErrorBox error={original.error} />}
      {query.data && (!from || original.data) && (
        <Form
          key={`${query.data.version} ${from}`}
          workflow={query.data}
          version={version}
          original={from ? original.data : undefined}
        />
      )}
    </>
  );
}

/** What is written in the form: the input as fields or as JSON, and what is beside it. */
interface Written {
  draft: Draft;
  /** The input as JSON; undefined while the fields are shown. */
  json: string | undefined;
  name: string;
  labels: string;
  notBefore: string;
}

function parsed(json: string): { value?: unknown; errors: Map<string, string> } {
  try {
    return { value: json.trim() ? (JSON.parse(json) as unknown) : {}, errors: new Map() };
  } catch (cause) {
    return { errors: new Map([["", `This is not JSON: ${String((cause as Error).message)}`]]) };
  }
}

/** The form as it is first shown: empty, or with the input and the labels of the task that is started again. */
function firstWritten(
  field: ReturnType<typeof fieldOf>,
  original: Task | undefined,
  value: unknown,
): Written {
  const draft = original && field.kind === "object" ? draftOf(field, value) : undefined;
  const asJson = field.kind !== "object" || (original !== undefined && draft === undefined);
  const labels = original
    ? { ...((original.labels ?? {}) as Record<string, string>), [ORIGIN_LABEL]: original.id }
    : {};
  return {
    draft,
    json: asJson ? JSON.stringify(value ?? {}, null, 2) : undefined,
    ...{ name: "", notBefore: "" },
    labels: Object.entries(labels)
      .map(([name, text]) => `${name}=${text}`)
      .join("\n"),
  };
}

interface FormProps {
  workflow: Workflow;
  version: number | undefined;
  /** The task that is started again. */
  original: Task | undefined;
}

function Form({ workflow, version, original }: FormProps) {
  const { definition } = workflow;
  const schema = definition.input;
  const field = useMemo(() => fieldOf(schema ?? {}, schema ?? { type: "object", properties: {} }), [schema]);
  const taken = useMemo(() => unmasked(original?.input), [original]);
  const [written, setWritten] = useState<Written>(() => firstWritten(field, original, taken.value));
  const [, navigate] = useLocation();
  const call = useStart((task) => {
    notify(`${plain(task.name)} was started`);
    navigate(`/tasks/${task.id}`);
  });
  const input = written.json === undefined ? collect(field, written.draft ?? {}) : parsed(written.json);
  const empty = stillEmpty(input.value, taken.masked).map((at): [string, string] => [at, "Write it again"]);
  // Faults of the form are shown once somebody asked to go on, like those that the server finds.
  const [tried, setTried] = useState(false);
  const shown = written.json === undefined ? shownPointers(field, written.draft) : new Set([""]);
  const faults = new Map([...(call.isError ? faultsOf(call.error) : []), ...empty]);
  const errors = tried ? new Map([...atFields(faults, shown), ...input.errors]) : new Map<string, string>();
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (call.isError) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [call.isError]);
  const change = (part: Partial<Written>) => {
    setWritten((before) => ({ ...before, ...part }));
    if (!call.isIdle && !call.isPending) call.reset();
    setTried(false);
  };
  const spec: StartSpec = {
    workflow: definition.name,
    ...(version === undefined ? {} : { version }),
    ...("value" in input ? { input: input.value } : {}),
    ...(written.name.trim() ? { name: written.name.trim() } : {}),
    ...(written.labels.trim() ? { labels: labelsOf(written.labels) } : {}),
    ...(written.notBefore ? { notBefore: written.notBefore.trim() } : {}),
  };
  const ask = (start: boolean) => {
    setTried(true);
    if (input.errors.size + empty.length === 0 && !call.isPending) call.mutate({ spec, start });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    ask(true);
  };
  const labels = Object.entries(labelsOf(written.labels)).map(([each, value]) => `${each}=${value}`);
  return (
    <form ref={form} onSubmit={submit} className={styles.form} noValidate>
      {original && <OriginalRemark task={original} workflow={workflow} masked={taken.masked} />}
      <Section
        title="Input"
        actions={<Mode field={field} written={written} input={input} onChange={change} />}
      >
        <div className={styles.form}>
          {written.json !== undefined ? (
            <CodeField
              label="Input as JSON"
              rows={14}
              error={errors.get("")}
              value={written.json}
              onChange={(event) => change({ json: event.target.value })}
            />
          ) : (
            <>
              {field.kind === "object" && field.fields.length === 0 && <p>This workflow takes no input.</p>}
              <SchemaField
                field={field}
                draft={written.draft}
                pointer=""
                errors={errors}
                onChange={(draft) => change({ draft })}
              />
              {errors.get("") && <Remark tone="bad">{errors.get("")}</Remark>}
            </>
          )}
        </div>
      </Section>
      <Section title="The task">
        <div className={styles.form}>
          <TextField
            label="Name (optional)"
            hint={<bdi>{plain(definition.title)} unless given</bdi>}
            autoComplete="off"
            value={written.name}
            onChange={(event) => change({ name: event.target.value })}
          />
          <CodeField
            label="Labels (optional)"
            hint="One a line: name=value"
            rows={2}
            value={written.labels}
            onChange={(event) => change({ labels: event.target.value })}
          />
          <TextField
            label="Not before (optional)"
            hint="An instant such as 2026-12-24T18:00:00Z; at once unless given"
            autoComplete="off"
            value={written.notBefore}
            onChange={(event) => change({ notBefore: event.target.value })}
          />
        </div>
      </Section>
      {original && input.errors.size === 0 && (
        <Changes field={field} was={original.input ?? {}} now={input.value ?? {}} masked={taken.masked} />
      )}
      {call.isError && <ErrorBox error={call.error} />}
      {call.data && !call.isPending && call.variables?.start === false && (
        <div role="status">
          <Remark>
            <p>
              The server accepts it, as <bdi>{plain(call.data.name)}</bdi>. Nothing was started.
            </p>
          </Remark>
        </div>
      )}
      <div className={styles.buttons}>
        <Button look="primary" type="submit" isDisabled={call.isPending}>
          {call.isPending ? "Asking the server…" : "Start"}
        </Button>
        <Button onPress={() => ask(false)} isDisabled={call.isPending}>
          Check only
        </Button>
        <CopyButton
          text={adminLine.start(definition.name, version, written.name.trim(), labels, written.notBefore)}
          what="the command line, which reads the input from standard input"
        >
          Copy as CLI
        </CopyButton>
      </div>
    </form>
  );
}

/** Goes between the fields and JSON; the fields are refused where they would lose a part of the input. */
function Mode(props: {
  field: ReturnType<typeof fieldOf>;
  written: Written;
  input: { value?: unknown; errors: Map<string, string> };
  onChange: (part: Partial<Written>) => void;
}) {
  const { field, written, input, onChange } = props;
  if (written.json === undefined) {
    return (
      <Button
        refused={input.errors.size > 0 ? "A value of the form is not valid yet" : undefined}
        onPress={() => onChange({ json: JSON.stringify(input.value ?? {}, null, 2) })}
      >
        Write JSON
      </Button>
    );
  }
  if (field.kind !== "object") return null;
  const draft = input.errors.size === 0 ? draftOf(field, input.value) : undefined;
  return (
    <Button
      refused={draft === undefined ? "The form has no fields for a part of this JSON" : undefined}
      onPress={() => onChange({ json: undefined, draft })}
    >
      Use the form
    </Button>
  );
}
