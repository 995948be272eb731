import { useId } from "react";
import { type ButtonProps, Button as Pressable } from "react-aria-components";
import styles from "./Button.module.css";

interface Props extends Omit<ButtonProps, "className"> {
  /** `primary` is the one expected next, `danger` destroys, `quiet` has no border. */
  look?: "normal" | "primary" | "danger" | "quiet";
  /** Why it is impossible now: the button is then disabled and says so. */
  refused?: string | undefined;
}

/** A button. One that is impossible now can still be focused, and its reason is then shown and read out. */
export function Button({ look = "normal", refused, onPress, children, ...rest }: Props) {
  const reason = useId();
  const button = (
    <Pressable
      {...rest}
      {...(onPress && !refused ? { onPress } : {})}
      className={`${styles.button} ${styles[look]} ${refused ? styles.refused : ""}`}
      {...(refused ? { "aria-disabled": true, "aria-describedby": reason } : {})}
    >
      {children}
    </Pressable>
  );
  if (!refused) return button;
  return (
    <span title={refused} className={styles.frame}>
      {button}
      <span id={reason} className={styles.reason}>
        {refused}
      </span>
    </span>
  );
}
