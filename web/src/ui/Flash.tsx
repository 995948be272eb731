import { type ReactNode, useEffect, useRef } from "react";
import styles from "./Grid.module.css";

/** Content whose ground fades for a moment when `value` changes; not at first, and not with reduced motion. */
export function Flash({ value, children }: { value: string; children: ReactNode }) {
  const before = useRef(value);
  const element = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (before.current === value) return;
    before.current = value;
    const flash = styles.flash ?? "";
    element.current?.classList.remove(flash);
    // Reading the layout between the two has the animation begin anew.
    void element.current?.offsetWidth;
    element.current?.classList.add(flash);
  }, [value]);
  return (
    <span ref={element} className={styles.cell}>
      {children}
    </span>
  );
}
