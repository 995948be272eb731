import { type ButtonProps, Button as Pressable } from "react-aria-components";
import styles from "./Button.module.css";

interface Props extends Omit<ButtonProps, "className"> {
  /** `primary` is the one expected next, `danger` destroys, `quiet` has no border. */
  look?: "normal" | "primary" | "danger" | "quiet";
  /** Why it is impossible now: the button is then disabled and says so. */
  refused?: string | undefined;
}

/** A button. One that is impossible now can still be focused, so that its reason can be read. */
export function Button({ look = "normal", refused, onPress, children, ...rest }: Props) {
  const button = (
    <Pressable
      {...rest}
      {...(onPress && !refused ? { onPress } : {})}
      className={`${styles.button} ${styles[look]} ${refused ? styles.refused : ""}`}
      {...(refused ? { "aria-disabled": true, "aria-description": refused } : {})}
    >
      {children}
    </Pressable>
  );
  return refused ? <span title={refused}>{button}</span> : button;
}
