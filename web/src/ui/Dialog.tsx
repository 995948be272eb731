import type { ReactNode } from "react";
import { Heading, Modal, ModalOverlay, Dialog as Region } from "react-aria-components";
import { Button } from "./Button";
import styles from "./Dialog.module.css";
import { Cross } from "./icons";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  /** Buttons at the foot, the expected one last. */
  actions?: ReactNode;
  wide?: boolean;
  /** A palette has no frame of its own, and stands near the top. */
  bare?: boolean;
}

/** A dialog over the page. Escape closes it, and the focus goes back to where it was. */
export function Dialog({ title, onClose, children, actions, wide = false, bare = false }: Props) {
  return (
    <ModalOverlay
      className={styles.backdrop ?? ""}
      isOpen
      isDismissable
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
    >
      <Modal className={`${styles.modal} ${wide ? styles.wide : ""} ${bare ? styles.bare : ""}`}>
        <Region className={styles.dialog ?? ""} aria-label={title}>
          {!bare && (
            <div className={styles.head}>
              <Heading slot="title" className={styles.title ?? ""}>
                {title}
              </Heading>
              <Button look="quiet" onPress={onClose} aria-label="Close">
                <Cross />
              </Button>
            </div>
          )}
          <div className={bare ? styles.bareBody : styles.body}>{children}</div>
          {actions && <div className={styles.actions}>{actions}</div>}
        </Region>
      </Modal>
    </ModalOverlay>
  );
}
