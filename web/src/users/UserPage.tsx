import { useState } from "react";
import { Link, useLocation } from "wouter";
import type { User } from "../api/types";
import { useSession } from "../app/session-context";
import { Button } from "../ui/Button";
import { Empty, ErrorBox } from "../ui/ErrorBox";
import { type Column, Grid } from "../ui/Grid";
import { PageHead } from "../ui/PageHead";
import { Facts, Section } from "../ui/Section";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import { KeyShown, type NewKey } from "./KeyShown";
import { Sessions } from "./Sessions";
import { type AskedOfUser, UserDialog } from "./UserDialog";
import { UserState } from "./UsersPage";
import { useUsers } from "./useUsers";

/** One account: its role, API keys and sessions, and what an administrator can do with it. */
export function UserPage({ name }: { name: string }) {
  const query = useUsers();
  const user = query.data?.find((each) => each.name.toLowerCase() === name.toLowerCase());
  if (query.isError) return <ErrorBox error={query.error} />;
  if (!query.data) return null;
  if (!user) {
    return (
      <Empty title={`There is no account ${plain(name)}.`}>
        <p>
          <Link href="/users">All accounts</Link>
        </p>
      </Empty>
    );
  }
  return <Loaded user={user} all={query.data} />;
}

function Loaded({ user, all }: { user: User; all: User[] }) {
  const [asked, setAsked] = useState<AskedOfUser>();
  const [key, setKey] = useState<NewKey>();
  const [, navigate] = useLocation();
  const own = useSession().name === user.name;
  const admins = all.filter((each) => each.role === "ADMIN" && !each.disabled);
  const last = admins.length === 1 && admins[0]?.name === user.name;
  const needed = last ? "It is the last administrator that is enabled" : undefined;
  const ask = (
    verb: Exclude<AskedOfUser["verb"], "deleteKey">,
    refused?: string,
    look: "normal" | "danger" = "normal",
  ) => (
    <Button look={look} refused={refused} onPress={() => setAsked({ verb })}>
      {BUTTONS[verb]}
    </Button>
  );
  return (
    <>
      <PageHead
        title={user.name}
        before={<UserState user={user} />}
        facts={
          <>
            <span>{user.role}</span>
            <span>{user.kind === "SERVICE" ? "service" : "person"}</span>
            {own && <span>your own account</span>}
          </>
        }
        actions={
          <>
            {ask("role", needed)}
            {user.kind === "USER" && ask("password")}
            {user.disabled ? ask("enable") : ask("disable", needed)}
            {ask("delete", needed, "danger")}
          </>
        }
      />
      <Facts
        facts={[
          ["Made", <Time key="made" at={user.creationTimestamp} />],
          ...((user.role === "WORKER"
            ? [
                ["Queues", user.queues?.join(", ") ?? "any"],
                ["Calls", user.actions?.join(", ") ?? "all of its role"],
              ]
            : []) as [string, string][]),
        ]}
      />
      <Section
        title="API keys"
        actions={<Button onPress={() => setAsked({ verb: "addKey" })}>Add an API key…</Button>}
      >
        {user.apiKeys.length === 0 ? (
          <Empty title="It has no API key." />
        ) : (
          <Grid
            label="API keys"
            columns={keyColumns((id) => setAsked({ verb: "deleteKey", key: id }))}
            rows={user.apiKeys}
            keyOf={(each) => each.id}
          />
        )}
      </Section>
      <Section title="Sessions">
        <Sessions user={user.name} />
      </Section>
      {asked && (
        <UserDialog
          user={user}
          asked={asked}
          onKey={(apiKey) => setKey({ user: user.name, apiKey })}
          onDeleted={() => navigate("/users")}
          onClose={() => setAsked(undefined)}
        />
      )}
      {key && <KeyShown shown={key} onClose={() => setKey(undefined)} />}
    </>
  );
}

const BUTTONS: Record<AskedOfUser["verb"], string> = {
  role: "Change role…",
  password: "Set password…",
  enable: "Enable…",
  disable: "Disable…",
  delete: "Delete…",
  addKey: "Add an API key…",
  deleteKey: "Delete…",
};

type ApiKey = User["apiKeys"][number];

const keyColumns = (remove: (id: string) => void): Column<ApiKey>[] => [
  {
    id: "name",
    label: "Name",
    narrow: "main",
    cell: (key) => (key.name ? <bdi>{plain(key.name)}</bdi> : "without a name"),
  },
  { id: "id", label: "ID", cell: (key) => <code>{key.id}</code> },
  {
    id: "made",
    label: "Made",
    width: "120px",
    align: "end",
    narrow: "side",
    cell: (key) => <Time at={key.creationTimestamp} />,
  },
  {
    id: "used",
    label: "Last used",
    width: "120px",
    align: "end",
    narrow: "side",
    cell: (key) => (key.lastUsedTimestamp ? <Time at={key.lastUsedTimestamp} /> : "never"),
  },
  {
    id: "delete",
    label: "Actions",
    width: "100px",
    align: "end",
    cell: (key) => (
      <Button
        look="quiet"
        aria-label={`Delete the API key ${plain(key.name ?? key.id)}`}
        onPress={() => remove(key.id)}
      >
        Delete…
      </Button>
    ),
  },
];
