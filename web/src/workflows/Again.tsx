import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { api, must } from "../api/client";
import type { Task, Workflow } from "../api/types";
import { shortId } from "../tasks/resources";
import { Remark } from "../ui/ErrorBox";
import { Section } from "../ui/Section";
import { plain } from "../ui/text";
import { type Difference, differences, secretPointers, touches } from "./again";
import type { Field } from "./schema";
import styles from "./start.module.css";

/** The task to start again, with its input and labels; read once, as the form must not change under the writer. */
export function useOriginal(id: string) {
  return useQuery({
    queryKey: ["original", id],
    enabled: id !== "",
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () =>
      must(
        api.GET("/v1/tasks/{id}", {
          params: { path: { id }, query: { view: "summary", include: ["input", "labels"] } },
        }),
      ),
  });
}

/** What the form took from the original task, and what it could not take. */
export function OriginalRemark({
  task,
  workflow,
  masked,
}: {
  task: Task;
  workflow: Workflow;
  masked: ReadonlySet<string>;
}) {
  const ran = (task.workflow as { version?: number } | undefined)?.version;
  return (
    <Remark tone={masked.size > 0 ? "warn" : "grey"}>
      <p>
        The form has the input of{" "}
        <Link href={`/tasks/${task.id}`}>
          <bdi>{plain(task.name)}</bdi> ({shortId(task.id)})
        </Link>
        , which stays as it is.
      </p>
      {masked.size > 0 && (
        <p>
          Secrets are not copied. Write them again where the new task needs them:{" "}
          <bdi>{plain([...masked].map(words).join(", "))}</bdi>
        </p>
      )}
      {ran !== undefined && ran !== workflow.version && (
        <p>
          It ran version {ran}; this form starts version {workflow.version}.{" "}
          <Link href={`/workflows/${encodeURIComponent(workflow.name)}/start?from=${task.id}&version=${ran}`}>
            Use version {ran}
          </Link>
        </p>
      )}
    </Remark>
  );
}

/** A pointer as people read it; the input itself has no name of its own. */
function words(pointer: string): string {
  const parts = pointer.split("/").slice(1);
  return parts.map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~")).join(" › ") || "Input";
}

interface Props {
  field: Field;
  /** The original input, masked as the server shows it. */
  was: unknown;
  /** The input as it is written now; undefined while it has a fault. */
  now: unknown;
  masked: ReadonlySet<string>;
}

/** The differences between the original input and the one that is written, before it is started. */
export function Changes({ field, was, now, masked }: Props) {
  const found = differences(was, now);
  const secrets = new Set([...masked, ...secretPointers(field, was), ...secretPointers(field, now)]);
  return (
    <Section title="Changes from the original input">
      {found.length === 0 ? (
        <p>The input is the same as the original.</p>
      ) : (
        <table className={styles.changes} aria-label="Changes from the original input">
          <thead>
            <tr>
              <th scope="col">Field</th>
              <th scope="col">Original</th>
              <th scope="col">New</th>
            </tr>
          </thead>
          <tbody>
            {found.map((each) => (
              <Row key={each.pointer} change={each} secret={touches(each.pointer, secrets)} />
            ))}
          </tbody>
        </table>
      )}
    </Section>
  );
}

function Row({ change, secret }: { change: Difference; secret: boolean }) {
  const cell = (name: "was" | "now") => {
    if (!(name in change) || (secret && change[name] === "")) return <em>Not given</em>;
    if (secret) return <em>Secret</em>;
    const text = JSON.stringify(change[name], null, 1);
    return <bdi>{plain(text.length > 400 ? `${text.slice(0, 400)}…` : text)}</bdi>;
  };
  return (
    <tr>
      <th scope="row">
        <bdi>{plain(words(change.pointer))}</bdi>
      </th>
      <td>{cell("was")}</td>
      <td>{cell("now")}</td>
    </tr>
  );
}
