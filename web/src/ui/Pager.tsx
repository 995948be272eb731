import { Button } from "./Button";
import styles from "./Filters.module.css";

interface Props {
  /** From 1. */
  page: number;
  pageSize: number;
  total: number;
  onPage: (page: number) => void;
}

/** Which rows of how many are shown, and the way to the page before and the next. */
export function Pager({ page, pageSize, total, onPage }: Props) {
  const pages = Math.max(1, Math.ceil(total / pageSize));
  const first = (page - 1) * pageSize + 1;
  const number = (value: number) => value.toLocaleString("en");
  return (
    <div className={styles.pager}>
      <span>
        {first > total
          ? "No rows"
          : `Rows ${number(first)} to ${number(Math.min(total, page * pageSize))} of ${number(total)}`}
      </span>
      {(pages > 1 || page > pages) && (
        <>
          <Button isDisabled={page <= 1} onPress={() => onPage(Math.min(pages, page - 1))}>
            Previous
          </Button>
          <Button isDisabled={page >= pages} onPress={() => onPage(page + 1)}>
            Next
          </Button>
        </>
      )}
    </div>
  );
}
