import type { ReactNode } from "react";
import { Menu as Items, MenuItem, MenuTrigger, Popover } from "react-aria-components";
import styles from "./Menu.module.css";

/** One entry of a menu. */
export interface Entry {
  id: string;
  label: string;
  /** A second line: an explanation, or why the entry is impossible now. */
  note?: string | undefined;
  disabled?: boolean | undefined;
  checked?: boolean | undefined;
  run: () => void;
}

/** A menu that opens from `children`, a button. */
export function Menu({ label, entries, children }: { label: string; entries: Entry[]; children: ReactNode }) {
  const disabled = entries.filter((entry) => entry.disabled).map((entry) => entry.id);
  return (
    <MenuTrigger>
      {children}
      <Popover className={styles.popover ?? ""} placement="bottom end" offset={4}>
        <Items
          aria-label={label}
          className={styles.menu ?? ""}
          disabledKeys={disabled}
          onAction={(key) => entries.find((entry) => entry.id === key)?.run()}
        >
          {entries.map((entry) => (
            <MenuItem key={entry.id} id={entry.id} textValue={entry.label} className={styles.item ?? ""}>
              <span>
                {entry.checked !== undefined && (
                  <span aria-hidden className={styles.check}>
                    {entry.checked ? "✓" : ""}
                  </span>
                )}
                {entry.label}
                {entry.checked && <span className="visually-hidden">, chosen</span>}
              </span>
              {entry.note && <span className={styles.note}>{entry.note}</span>}
            </MenuItem>
          ))}
        </Items>
      </Popover>
    </MenuTrigger>
  );
}
