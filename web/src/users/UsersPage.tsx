import { useMemo, useState } from "react";
import { adminLine } from "../api/admin-commands";
import type { User } from "../api/types";
import { useOfferCommands } from "../app/commands";
import { Button } from "../ui/Button";
import { CopyCommand } from "../ui/CopyCommand";
import { Empty, ErrorBox } from "../ui/ErrorBox";
import { pageOf, useAddress } from "../ui/Filters";
import { type Column, Grid } from "../ui/Grid";
import { PageHead } from "../ui/PageHead";
import { StatusLabel } from "../ui/Status";
import { Tabs } from "../ui/Tabs";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import { AddUserDialog } from "./AddUserDialog";
import { KeyShown, type NewKey } from "./KeyShown";
import { Sessions } from "./Sessions";
import { useUsers } from "./useUsers";

/** The state of an account. */
export function UserState({ user }: { user: User }) {
  return (
    <StatusLabel
      look={
        user.disabled
          ? { word: "Disabled", tone: "grey", icon: "slash" }
          : { word: "Enabled", tone: "good", icon: "check" }
      }
    />
  );
}

const COLUMNS: Column<User>[] = [
  { id: "name", label: "Account", narrow: "main", cell: (user) => <bdi>{plain(user.name)}</bdi> },
  {
    id: "state",
    label: "State",
    width: "110px",
    narrow: "side",
    value: (user) => String(user.disabled),
    cell: (user) => <UserState user={user} />,
  },
  {
    id: "role",
    label: "Role",
    width: "120px",
    narrow: "side",
    value: (user) => user.role,
    cell: (user) => user.role,
  },
  {
    id: "kind",
    label: "Kind",
    width: "110px",
    narrow: "side",
    cell: (user) => (user.kind === "SERVICE" ? "service" : "person"),
  },
  {
    id: "keys",
    label: "API keys",
    width: "110px",
    align: "end",
    narrow: "side",
    cell: (user) =>
      user.apiKeys.length > 0 && `${user.apiKeys.length} ${user.apiKeys.length === 1 ? "key" : "keys"}`,
  },
  {
    id: "since",
    label: "Made",
    width: "120px",
    align: "end",
    narrow: "side",
    cell: (user) => <Time at={user.creationTimestamp} />,
  },
];

const TABS: [string, string][] = [
  ["", "Accounts"],
  ["sessions", "Sessions"],
];

/** Accounts and who is logged in; for administrators. */
export function UsersPage() {
  const [{ tab, page }, setAddress] = useAddress(["tab", "page"]);
  const query = useUsers();
  const [adding, setAdding] = useState(false);
  const [key, setKey] = useState<NewKey>();
  useOfferCommands(useMemo(() => [{ id: "add", label: "Add an account", run: () => setAdding(true) }], []));
  const sessions = tab === "sessions";
  return (
    <>
      <PageHead
        title="Users"
        actions={
          <>
            <CopyCommand text={sessions ? adminLine.sessions() : adminLine.users()} />
            <Button look="primary" onPress={() => setAdding(true)}>
              Add an account…
            </Button>
          </>
        }
      />
      <Tabs
        label="Accounts and sessions"
        tabs={TABS}
        current={tab}
        hrefOf={(name) => (name ? `/users?tab=${name}` : "/users")}
      />
      {sessions ? (
        <Sessions user={undefined} page={pageOf(page)} onPage={(to) => setAddress({ page: String(to) })} />
      ) : (
        <>
          {query.isError && <ErrorBox error={query.error} />}
          {query.data && query.data.length > 0 && (
            <Grid
              keys
              label="Accounts"
              columns={COLUMNS}
              rows={query.data}
              keyOf={(user) => user.name}
              hrefOf={(user) => `/users/${encodeURIComponent(user.name)}`}
            />
          )}
          {query.data?.length === 0 && <Empty title="There are no accounts." />}
        </>
      )}
      {adding && <AddUserDialog onClose={() => setAdding(false)} onKey={setKey} />}
      {key && <KeyShown shown={key} onClose={() => setKey(undefined)} />}
    </>
  );
}
