import { useMemo } from "react";
import { plain } from "../ui/text";
import { BOX, draw, type Step } from "./graph";
import styles from "./graph.module.css";

/** The sub-tasks of a workflow as a drawing: below each are those that need it. The table beside it says the same in words. */
export function Graph({ steps }: { steps: Step[] }) {
  const drawing = useMemo(() => draw(steps), [steps]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by keyboard
    <section className={styles.frame} tabIndex={0} aria-label="Drawing of the sub-tasks">
      <svg
        width={drawing.width}
        height={drawing.height}
        viewBox={`0 0 ${drawing.width} ${drawing.height}`}
        role="img"
        aria-label={`${steps.length} sub-tasks and what each needs; the table of sub-tasks has the same in words`}
      >
        <defs>
          <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M0 0l8 4-8 4z" className={styles.tip} />
          </marker>
        </defs>
        {drawing.lines.map((line) => (
          <path
            key={`${line.from} ${line.to}`}
            d={`M${line.points.map((point) => `${point.x.toFixed(1)} ${point.y.toFixed(1)}`).join("L")}`}
            className={styles.line}
            markerEnd="url(#tip)"
          />
        ))}
        {drawing.boxes.map(({ step, x, y }) => (
          <Box key={step.name} step={step} left={x - BOX.width / 2} top={y - BOX.height / 2} />
        ))}
      </svg>
    </section>
  );
}

/** Longer names are cut: the box has room for so many characters. */
const MOST = 27;
const cut = (text: string) => (text.length > MOST ? `${text.slice(0, MOST - 1)}…` : text);

function Box({ step, left, top }: { step: Step; left: number; top: number }) {
  const second = [step.action, step.forEach && "for each", step.when && "if"].filter(Boolean).join(" · ");
  const shape = { width: BOX.width, height: BOX.height, rx: 4 };
  return (
    <g transform={`translate(${left} ${top})`}>
      <title>{`${plain(step.name)}: ${plain(step.description)}`}</title>
      {step.forEach && <rect {...shape} x={4} y={4} className={styles.box} />}
      <rect {...shape} className={`${styles.box} ${step.when ? styles.conditional : ""}`} />
      <text x={10} y={18} className={styles.name}>
        {cut(plain(step.name))}
      </text>
      <text x={10} y={35} className={styles.kind}>
        {cut(plain(second))}
      </text>
    </g>
  );
}
