import { type ReactNode, useRef, useState } from "react";
import { Link } from "wouter";
import { Flash } from "./Flash";
import styles from "./Grid.module.css";
import { useHotkeys } from "./hotkeys";

/** A column of a grid. */
export interface Column<T> {
  id: string;
  label: string;
  /** A CSS length; columns without one share what is left. */
  width?: string;
  align?: "end";
  /** The field of the API that the column sorts by. */
  sort?: string;
  /** On a phone a row is a card: `main` is its first line, `side` stands at the right of it, `line` below, `none` is left out. */
  narrow?: "main" | "side" | "line" | "none";
  /** A text that stands for the value: the cell fades for a moment when it changes. */
  value?: (row: T) => string;
  cell: (row: T) => ReactNode;
}

/** What a grid is sorted by. */
export interface Sort {
  by: string;
  ascending: boolean;
}

interface Props<T> {
  label: string;
  columns: Column<T>[];
  rows: T[];
  keyOf: (row: T) => string;
  /** Where a row leads; the whole row is then a link, with the first column of `narrow: "main"` as its text. */
  hrefOf?: (row: T) => string;
  /** The number of the first row, from 1, and of all: what the page shows is a window of them. */
  first?: number;
  total?: number | undefined;
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  selected?: ReadonlySet<string>;
  onSelect?: (selected: ReadonlySet<string>) => void;
  /** Rows that are shown faintly, as they are no longer part of the list. */
  faint?: ReadonlySet<string>;
  /** True for one grid of a page: it has the keys j, k, o and x. */
  keys?: boolean;
}

/** A list of rows and columns: sorted by the server, moved through by `j` and `k`, a list of cards on a phone. */
export function Grid<T>(props: Props<T>) {
  const { label, columns, rows, keyOf, first = 1, total, selected, onSelect, faint } = props;
  const body = useRef<HTMLTableSectionElement>(null);
  useRowKeys(body, props);
  const all = onSelect && rows.length > 0 && rows.every((row) => selected?.has(keyOf(row)));
  return (
    <div className={styles.frame}>
      <table
        className={styles.grid}
        aria-label={label}
        aria-rowcount={total === undefined ? undefined : total + 1}
      >
        <colgroup>
          {onSelect && <col style={{ width: 36 }} />}
          {columns.map((column) => (
            <col
              key={column.id}
              className={styles[column.narrow ?? "line"]}
              style={column.width ? { width: column.width } : undefined}
            />
          ))}
        </colgroup>
        <thead>
          <tr aria-rowindex={1}>
            {onSelect && (
              <th className={styles.pick}>
                <input
                  type="checkbox"
                  aria-label="Select all rows of this page"
                  checked={!!all}
                  onChange={() => onSelect(all ? new Set() : new Set(rows.map(keyOf)))}
                />
              </th>
            )}
            {columns.map((column) => (
              <HeadCell key={column.id} column={column} {...props} />
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          {rows.map((row, index) => {
            const key = keyOf(row);
            return (
              <tr
                key={key}
                data-key={key}
                aria-rowindex={first + index + 1}
                tabIndex={-1}
                className={`${faint?.has(key) ? styles.faint : ""} ${selected?.has(key) ? styles.selected : ""}`}
              >
                <Cells row={row} rowKey={key} {...props} />
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function HeadCell<T>({ column, sort, onSort }: { column: Column<T> } & Props<T>) {
  const by = column.sort;
  const active = sort !== undefined && by === sort.by;
  const order = active ? (sort.ascending ? "ascending" : "descending") : undefined;
  return (
    <th
      scope="col"
      className={`${column.align === "end" ? styles.end : ""} ${column.narrow === "none" ? styles.none : ""}`}
      aria-sort={order}
    >
      {by && onSort ? (
        <button
          type="button"
          className={styles.sort}
          onClick={() => onSort({ by, ascending: active ? !sort.ascending : !by.endsWith("Timestamp") })}
        >
          {column.label}
          <span aria-hidden>{active ? (sort.ascending ? " ↑" : " ↓") : ""}</span>
        </button>
      ) : (
        column.label
      )}
    </th>
  );
}

function Cells<T>({
  row,
  rowKey,
  columns,
  hrefOf,
  selected,
  onSelect,
}: { row: T; rowKey: string } & Props<T>) {
  return (
    <>
      {onSelect && (
        <td className={styles.pick}>
          <input
            type="checkbox"
            aria-label="Select this row"
            checked={selected?.has(rowKey) ?? false}
            onChange={() => onSelect(toggled(selected, rowKey))}
          />
        </td>
      )}
      {columns.map((column) => {
        const content = column.value ? (
          <Flash value={column.value(row)}>{column.cell(row)}</Flash>
        ) : (
          column.cell(row)
        );
        return (
          <td
            key={column.id}
            data-label={column.label}
            className={`${column.align === "end" ? styles.end : ""} ${styles[column.narrow ?? "line"]}`}
          >
            {column.narrow === "main" && hrefOf ? (
              <Link href={hrefOf(row)} className={styles.link} data-main>
                {content}
              </Link>
            ) : (
              content
            )}
          </td>
        );
      })}
    </>
  );
}

function toggled(set: ReadonlySet<string> | undefined, key: string): Set<string> {
  const next = new Set(set);
  if (!next.delete(key)) next.add(key);
  return next;
}

/** `j` and `k` move the focus from row to row, `o` opens, `x` selects. */
function useRowKeys<T>(
  body: React.RefObject<HTMLTableSectionElement | null>,
  { keys = false, selected, onSelect }: Props<T>,
): void {
  const [, setAt] = useState(-1);
  const rowOf = (element: Element | null) =>
    element?.closest<HTMLTableRowElement>("tr[data-key]") ?? undefined;
  const move = (by: number) => {
    const rows = [...(body.current?.rows ?? [])];
    const focused = rowOf(document.activeElement);
    setAt((before) => {
      const from = focused ? rows.indexOf(focused) : before < 0 && by > 0 ? -1 : before;
      const next = Math.min(rows.length - 1, Math.max(0, from + by));
      const row = rows[next];
      (row?.querySelector<HTMLElement>("a[data-main]") ?? row)?.focus();
      return next;
    });
  };
  useHotkeys(
    {
      j: () => move(1),
      k: () => move(-1),
      o: () => rowOf(document.activeElement)?.querySelector<HTMLElement>("a[data-main]")?.click(),
      x: () => {
        const key = rowOf(document.activeElement)?.dataset.key;
        if (key !== undefined) onSelect?.(toggled(selected, key));
      },
    },
    keys,
  );
}
