import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import { useLocation } from "wouter";
import { api, must } from "../api/client";
import { useSignOut } from "../api/session";
import { Dialog } from "../ui/Dialog";
import { lookOfTask } from "../ui/status";
import { plain } from "../ui/text";
import { type Command, matching, usePageCommands } from "./commands";
import { NAV } from "./nav";
import styles from "./Palette.module.css";
import { useMay } from "./session-context";

/** The task commands for what was typed: names and ids are looked up at the server. */
function useFoundTasks(text: string): Command[] {
  const [, navigate] = useLocation();
  const [settled, setSettled] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text.trim()), 150);
    return () => clearTimeout(timer);
  }, [text]);
  const isId = /^[0-9a-f-]{4,36}$/i.test(settled);
  const names = useQuery({
    queryKey: ["palette", "name", settled],
    enabled: settled.length >= 2,
    queryFn: () =>
      must(api.GET("/v1/tasks", { params: { query: { taskName: settled, pageSize: 8, view: "summary" } } })),
  });
  const ids = useQuery({
    queryKey: ["palette", "id", settled],
    enabled: isId,
    retry: false,
    queryFn: () => must(api.GET("/v1/task-ids/{part}", { params: { path: { part: settled } } })),
  });
  const found = [...(ids.data?.elements ?? []), ...(names.data?.elements ?? [])];
  return found.slice(0, 10).map((task) => ({
    id: `task ${task.id}`,
    label: plain(task.name),
    note: `${lookOfTask(task).word} · ${task.id.slice(-8)}`,
    run: () => navigate(`/tasks/${task.id}`),
  }));
}

/** The palette: what can be done here, the pages, and tasks by name or id. */
export function Palette({ onClose, onHelp }: { onClose: () => void; onHelp: () => void }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const [, navigate] = useLocation();
  const signOut = useSignOut();
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const here = usePageCommands();
  const admin = useMay("ADMIN");
  const found = useFoundTasks(text);
  const commands = useMemo(() => {
    const fixed: Command[] = [
      ...here,
      ...NAV.filter((entry) => entry.role !== "ADMIN" || admin).map((entry) => ({
        id: `go ${entry.path}`,
        label: `Go to ${entry.label}`,
        note: `g ${entry.key}`,
        run: () => navigate(entry.path),
      })),
      { id: "open", label: "Show open failures", run: () => navigate("/tasks?open=1") },
      { id: "help", label: "Keyboard help", note: "?", run: onHelp },
      { id: "out", label: "Sign out", run: () => signOut.mutate() },
    ];
    return [...matching(fixed, text), ...found];
  }, [here, text, found, admin, navigate, onHelp, signOut.mutate]);
  const at = Math.min(chosen, Math.max(0, commands.length - 1));
  const run = (command: Command | undefined) => {
    if (!command || command.refused) return;
    onClose();
    command.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") run(commands[at]);
    else if (event.key === "ArrowDown") setChosen((at + 1) % Math.max(1, commands.length));
    else if (event.key === "ArrowUp") setChosen((at - 1 + commands.length) % Math.max(1, commands.length));
    else return;
    event.preventDefault();
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the chosen one is found by its attribute
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [at]);
  return (
    <Dialog title="Commands" onClose={onClose} bare>
      <input
        className={styles.input}
        autoFocus
        role="combobox"
        aria-label="Command, or the name or id of a task"
        aria-expanded
        aria-controls={id}
        aria-activedescendant={commands[at] ? `${id}-${at}` : undefined}
        placeholder="A command, or the name or id of a task…"
        value={text}
        onKeyDown={onKeyDown}
        onChange={(event) => {
          setText(event.target.value);
          setChosen(0);
        }}
      />
      <div className={styles.list} role="listbox" id={id} aria-label="Commands" ref={list}>
        {commands.map((command, index) => (
          <div
            key={command.id}
            id={`${id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            aria-disabled={command.refused ? true : undefined}
            className={styles.option}
            onPointerMove={() => setChosen(index)}
            onClick={() => run(command)}
            onKeyDown={() => undefined}
          >
            <bdi className={styles.label}>{command.label}</bdi>
            <span className={styles.note}>{command.refused ?? command.note}</span>
          </div>
        ))}
        {commands.length === 0 && <p className={styles.none}>Nothing matches.</p>}
      </div>
    </Dialog>
  );
}
