import { useMemo } from "react";
import { Link, useLocation } from "wouter";
import { adminLine } from "../api/admin-commands";
import type { Workflow } from "../api/types";
import { useOfferCommands } from "../app/commands";
import { useMay } from "../app/session-context";
import { Button } from "../ui/Button";
import { CopyCommand } from "../ui/CopyCommand";
import { Empty, ErrorBox, Remark } from "../ui/ErrorBox";
import { ChoiceFilter, useAddress } from "../ui/Filters";
import { type Column, Grid } from "../ui/Grid";
import { PageHead } from "../ui/PageHead";
import { Facts, Section } from "../ui/Section";
import { Tabs } from "../ui/Tabs";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import { Definition } from "./Definition";
import { Graph } from "./Graph";
import { type Step, stepsOf } from "./graph";
import { useWorkflow, useWorkflows } from "./useWorkflows";

const TABS: [string, string][] = [
  ["", "Sub-tasks"],
  ["definition", "Definition"],
];

const COLUMNS: Column<Step>[] = [
  { id: "name", label: "Name", width: "24%", narrow: "main", cell: (step) => <bdi>{plain(step.name)}</bdi> },
  { id: "action", label: "Action", width: "110px", narrow: "side", cell: (step) => <bdi>{step.action}</bdi> },
  {
    id: "needs",
    label: "Needs",
    width: "22%",
    cell: (step) => <bdi title={step.needs.join(", ")}>{plain(step.needs.join(", "))}</bdi>,
  },
  {
    id: "about",
    label: "Description",
    cell: (step) => {
      const text = [
        step.description,
        step.when && `if ${step.when}`,
        step.forEach && `for each of ${step.forEach}`,
        ...step.remarks,
      ];
      const all = plain(text.filter(Boolean).join(" · "));
      return <bdi title={all}>{all}</bdi>;
    },
  },
];

/** One workflow: its sub-tasks as a drawing and a table, its definition, and its versions. */
export function WorkflowPage({ name }: { name: string }) {
  const [{ version: asked, tab }, setAddress] = useAddress(["version", "tab"]);
  const version = /^\d{1,9}$/.test(asked) ? Number(asked) : undefined;
  const query = useWorkflow(name, version);
  const summary = useWorkflows().data?.find((each) => each.name === name);
  const operator = useMay("OPERATOR");
  const [, navigate] = useLocation();
  const start = `/workflows/${encodeURIComponent(name)}/start${version === undefined ? "" : `?version=${version}`}`;
  useOfferCommands(
    useMemo(
      () =>
        operator ? [{ id: "start", label: "Start a task of this workflow", run: () => navigate(start) }] : [],
      [operator, navigate, start],
    ),
  );
  const versions = summary?.versions ?? [];
  return (
    <>
      <PageHead
        title={name}
        facts={
          query.data && (
            <>
              <bdi>{plain(query.data.definition.title)}</bdi>
              <Link href={`/tasks?${new URLSearchParams({ type: query.data.definition.type })}`}>
                Its tasks
              </Link>
            </>
          )
        }
        actions={
          <>
            {versions.length > 1 && (
              <ChoiceFilter
                label="Version"
                value={String(version ?? summary?.version ?? "")}
                onChange={(value) => setAddress({ version: value === String(summary?.version) ? "" : value })}
                values={[...versions].reverse().map((each) => [String(each), `v${each}`])}
              />
            )}
            <CopyCommand text={adminLine.workflow(name, version)} />
            {operator && (
              <Button look="primary" onPress={() => navigate(start)}>
                Start a task…
              </Button>
            )}
          </>
        }
      />
      {query.isError && <ErrorBox error={query.error} />}
      {query.data && (
        <>
          <About workflow={query.data} newest={summary?.version} />
          <Tabs
            label="Parts of the workflow"
            tabs={TABS}
            current={tab}
            hrefOf={(each) => {
              const params = new URLSearchParams();
              if (version !== undefined) params.set("version", String(version));
              if (each) params.set("tab", each);
              return `/workflows/${encodeURIComponent(name)}${params.size > 0 ? `?${params}` : ""}`;
            }}
          />
          {tab === "definition" ? (
            <Definition definition={query.data.definition} />
          ) : (
            <SubTasks workflow={query.data} />
          )}
        </>
      )}
    </>
  );
}

function SubTasks({ workflow }: { workflow: Workflow }) {
  const steps = useMemo(() => stepsOf(workflow.definition), [workflow]);
  return (
    <>
      <Graph steps={steps} />
      <Section title="Sub-tasks">
        {steps.length === 0 ? (
          <Empty title="It has none." />
        ) : (
          <Grid label="Sub-tasks" keys columns={COLUMNS} rows={steps} keyOf={(step) => step.name} />
        )}
      </Section>
    </>
  );
}

function About({ workflow, newest }: { workflow: Workflow; newest: number | undefined }) {
  const { definition, version, creationTimestamp, warnings = [] } = workflow;
  const resources = (definition.resources ?? []) as { type?: string; lock?: string }[];
  const locks = resources.map((each) => `${each.type} (${each.lock ?? "exclusive"})`).join(", ");
  const facts: [string, React.ReactNode][] = [
    ["Description", definition.description && <bdi>{plain(definition.description)}</bdi>],
    ["Type", <bdi key="type">{plain(definition.type)}</bdi>],
    [
      "Version",
      <span key="version">
        v{version}
        {newest !== undefined && newest !== version && `, the newest is v${newest}`}
        {creationTimestamp && (
          <>
            , stored <Time at={creationTimestamp} />
          </>
        )}
      </span>,
    ],
    ["Route", definition.route && <code>{definition.route}</code>],
    ["Resources and locks", locks && <bdi>{plain(locks)}</bdi>],
    [
      "Concurrency",
      definition.concurrency &&
        `${definition.concurrency.limit} at once for each ${definition.concurrency.key}`,
    ],
    ["Timeout", definition.timeout],
    [
      "Not allowed",
      [definition.cancellable === false && "cancel", definition.retryable === false && "retry"]
        .filter(Boolean)
        .join(", "),
    ],
  ];
  return (
    <>
      <Facts facts={facts.filter(([, value]) => value)} />
      {warnings.map((warning) => (
        <Remark key={`${warning.pointer} ${warning.message}`} tone="warn">
          <p>
            <code>{warning.pointer}</code> <bdi>{plain(warning.message)}</bdi>
          </p>
          {warning.hint && <p>{plain(warning.hint)}</p>}
        </Remark>
      ))}
    </>
  );
}
