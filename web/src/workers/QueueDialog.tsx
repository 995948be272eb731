import { useState } from "react";
import { adminLine } from "../api/admin-commands";
import { api, must } from "../api/client";
import type { Queue } from "../api/types";
import { ActionDialog } from "../ui/ActionDialog";
import { TextField } from "../ui/Field";
import { plain } from "../ui/text";

/** What is asked of a queue; without `queue` the dialog asks for its name. */
export type AskedOfQueue = { verb: "pause" | "resume"; queue: Queue } | { verb: "limit"; queue?: Queue };

const STALE = [["queues"], ["workers"]];

const change = (name: string, body: object, create = false) =>
  must(api.PATCH("/v1/queues/{name}", { params: { path: { name }, query: create ? { create } : {} }, body }));

const count = (n: number, one: string, many: string) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** A dialog that pauses or resumes a queue, or sets its limits. */
export function QueueDialog({ asked, onClose }: { asked: AskedOfQueue; onClose: () => void }) {
  if (asked.verb === "limit") return <Limits queue={asked.queue} onClose={onClose} />;
  const { queue } = asked;
  const name = plain(queue.name);
  const waiting = count(queue.waiting, "sub-task waits", "sub-tasks wait");
  if (asked.verb === "pause") {
    return (
      <ActionDialog
        title={`Pause the queue ${name}`}
        facts={[
          "Nothing of this queue is leased until somebody resumes it.",
          `${waiting} in it now; more may join.`,
          `${count(queue.running, "attempt that runs goes", "attempts that run go")} on.`,
        ]}
        button="Pause"
        command={adminLine.pause(queue.name)}
        run={() => change(queue.name, { paused: true })}
        done={`The queue ${name} is paused`}
        stale={STALE}
        onClose={onClose}
      />
    );
  }
  const none = queue.workers === 0 ? "No worker asks it for work at the moment." : "";
  return (
    <ActionDialog
      title={`Resume the queue ${name}`}
      facts={[`Work of this queue is leased again at once: ${waiting} in it.`, none].filter(Boolean)}
      button="Resume"
      command={adminLine.resume(queue.name)}
      run={() => change(queue.name, { paused: false })}
      done={`The queue ${name} is open`}
      stale={STALE}
      onClose={onClose}
    />
  );
}

function Limits({ queue, onClose }: { queue: Queue | undefined; onClose: () => void }) {
  const [name, setName] = useState(queue?.name ?? "");
  const [most, setMost] = useState(queue?.limits.maxRunning?.toString() ?? "");
  const [rate, setRate] = useState(queue?.limits.rate ?? "");
  const wrong =
    most.trim() !== "" && !/^\d{1,9}$/.test(most.trim()) ? "This is not a whole number" : undefined;
  const body = {
    maxRunning: most.trim() === "" ? null : Number(most.trim()),
    rate: rate.trim() === "" ? null : rate.trim(),
  };
  return (
    <ActionDialog
      title={queue ? `Limits of the queue ${plain(queue.name)}` : "Limits of a queue"}
      facts={[
        "Limits count for what starts from now on: attempts that run go on.",
        "An empty field is no limit. Whether the queue is paused stays as it is.",
      ]}
      button="Set the limits"
      ready={!wrong && name.trim() !== ""}
      command={adminLine.limit(name.trim(), most.trim(), rate.trim(), !queue)}
      run={() => change(name.trim(), body, !queue)}
      done={`The limits of the queue ${plain(name.trim())} are set`}
      stale={STALE}
      onClose={onClose}
    >
      {!queue && (
        <TextField
          label="Queue"
          hint="As workflows name it; it may be one that nobody has asked for yet"
          autoFocus
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      )}
      <TextField
        label="Attempts at once"
        hint="Over all workers; 0 lets nothing start"
        inputMode="numeric"
        autoFocus={!!queue}
        autoComplete="off"
        error={wrong}
        value={most}
        onChange={(event) => setMost(event.target.value)}
      />
      <TextField
        label="Starts in a time"
        hint="A number and a duration, such as 100/1m"
        autoComplete="off"
        value={rate}
        onChange={(event) => setRate(event.target.value)}
      />
    </ActionDialog>
  );
}
