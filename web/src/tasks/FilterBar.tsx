import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useSearchParams } from "wouter";
import { api, must } from "../api/client";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { SelectField, TextField } from "../ui/Field";
import { Columns, Cross, Search } from "../ui/icons";
import { Menu } from "../ui/Menu";
import { lookOf } from "../ui/status";
import { COLUMNS, chosenColumns, USUAL } from "./columns";
import { type Filters, STATUSES } from "./filters";
import styles from "./tasks.module.css";

interface Props {
  filters: Filters;
  onChange: (change: Partial<Filters>) => void;
}

const SPANS: [string, string][] = [
  ["", "Any time"],
  ["15m", "The last 15 minutes"],
  ["1h", "The last hour"],
  ["24h", "The last 24 hours"],
  ["7d", "The last 7 days"],
];

/** The filters in effect, each of which can be taken away, and the ways to more and to other columns. */
export function FilterBar({ filters, onChange }: Props) {
  const [open, setOpen] = useState(false);
  const chips: [string, Partial<Filters>][] = [
    ...filters.status.map((status): [string, Partial<Filters>] => [
      `Status: ${lookOf(status).word}`,
      { status: filters.status.filter((each) => each !== status) },
    ]),
    ...filters.labels.map((label): [string, Partial<Filters>] => [
      `Label: ${label}`,
      { labels: filters.labels.filter((each) => each !== label) },
    ]),
  ];
  if (filters.open) chips.unshift(["Open failures", { open: false }]);
  if (filters.name) chips.push([`Name: ${filters.name}`, { name: "" }]);
  if (filters.type) chips.push([`Type: ${filters.type}`, { type: "" }]);
  if (filters.resourceType) chips.push([`Resource type: ${filters.resourceType}`, { resourceType: "" }]);
  if (filters.resourceId) chips.push([`Resource: ${filters.resourceId}`, { resourceId: "" }]);
  if (filters.ended) chips.push([`Ended within ${filters.ended}`, { ended: "" }]);
  return (
    <>
      <div className={styles.tools}>
        <Button onPress={() => setOpen(true)}>
          <Search />
          Filter
        </Button>
        <ColumnMenu />
      </div>
      {chips.length > 0 && (
        <div className={styles.chips}>
          {chips.map(([text, without]) => (
            <span key={text} className={styles.chip}>
              <bdi>{text}</bdi>
              <button
                type="button"
                aria-label={`Remove the filter ${text}`}
                onClick={() => onChange(without)}
              >
                <Cross size={12} />
              </button>
            </span>
          ))}
        </div>
      )}
      {open && (
        <FilterDialog
          filters={filters}
          onClose={() => setOpen(false)}
          onChange={(change) => {
            setOpen(false);
            onChange(change);
          }}
        />
      )}
    </>
  );
}

function FilterDialog({ filters, onChange, onClose }: Props & { onClose: () => void }) {
  const [draft, setDraft] = useState(filters);
  const [label, setLabel] = useState("");
  const put = (change: Partial<Filters>) => setDraft((before) => ({ ...before, ...change }));
  const workflows = useQuery({ queryKey: ["workflows"], queryFn: () => must(api.GET("/v1/workflows")) });
  const types = [...new Set(workflows.data?.elements.map((workflow) => workflow.type))].sort();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const labels = label.trim() ? [...new Set([...draft.labels, label.trim()])] : draft.labels;
    onChange({ ...draft, labels, page: 1 });
  };
  const text = (name: "name" | "type" | "resourceType" | "resourceId", title: string, list?: string) => (
    <TextField
      label={title}
      value={draft[name]}
      list={list}
      onChange={(event) => put({ [name]: event.target.value })}
    />
  );
  return (
    <Dialog
      title="Filter tasks"
      onClose={onClose}
      actions={
        <Button look="primary" type="submit" form="filter-tasks">
          Show tasks
        </Button>
      }
    >
      <form id="filter-tasks" onSubmit={submit} className={styles.two}>
        <fieldset className={styles.statuses} style={{ gridColumn: "1 / -1" }}>
          <legend>Status</legend>
          {STATUSES.map((status) => (
            <label key={status}>
              <input
                type="checkbox"
                checked={draft.status.includes(status)}
                onChange={(event) =>
                  put({
                    status: STATUSES.filter((each) =>
                      each === status ? event.target.checked : draft.status.includes(each),
                    ),
                  })
                }
              />
              {lookOf(status).word}
            </label>
          ))}
          <label>
            <input
              type="checkbox"
              checked={draft.open}
              onChange={(event) => put({ open: event.target.checked })}
            />
            Open failures
          </label>
        </fieldset>
        {text("name", "Name contains")}
        {text("type", "Type", "task-types")}
        <datalist id="task-types">
          {types.map((type) => (
            <option key={type} value={type} />
          ))}
        </datalist>
        {text("resourceType", "Resource type")}
        {text("resourceId", "Resource ID")}
        <TextField
          label="Label"
          placeholder="name or name=value"
          value={label}
          onChange={(event) => setLabel(event.target.value)}
        />
        <SelectField
          label="Ended"
          value={draft.ended}
          onChange={(event) => put({ ended: event.target.value })}
        >
          {SPANS.map(([value, word]) => (
            <option key={value} value={value}>
              {word}
            </option>
          ))}
        </SelectField>
      </form>
    </Dialog>
  );
}

function ColumnMenu() {
  const [params, setParams] = useSearchParams();
  const chosen = chosenColumns(params.get("cols"));
  const entries = COLUMNS.filter((column) => column.id !== "name").map((column) => ({
    id: column.id,
    label: column.label,
    checked: chosen.includes(column.id),
    run: () =>
      setParams((before) => {
        const next = new URLSearchParams(before);
        const ids = chosen.includes(column.id)
          ? chosen.filter((id) => id !== column.id)
          : [...chosen, column.id];
        const usual = ids.length === USUAL.length && USUAL.every((id) => ids.includes(id));
        if (usual) next.delete("cols");
        else next.set("cols", ids.join(","));
        return next;
      }),
  }));
  return (
    <Menu label="Columns" entries={entries}>
      <Button look="quiet">
        <Columns />
        Columns
      </Button>
    </Menu>
  );
}
