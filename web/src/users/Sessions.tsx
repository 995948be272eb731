import { useMemo, useState } from "react";
import { api, must, signalSignedOut } from "../api/client";
import type { UserSession } from "../api/types";
import { ActionDialog } from "../ui/ActionDialog";
import { Button } from "../ui/Button";
import { Empty, ErrorBox } from "../ui/ErrorBox";
import { type Column, Grid } from "../ui/Grid";
import { Pager } from "../ui/Pager";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import { SESSIONS, useSessions } from "./useUsers";

const LOGIN: Record<string, string> = {
  PASSWORD: "password",
  API_KEY: "API key",
  ID_TOKEN: "ID token",
};

function columnsOf(end: (session: UserSession) => void): Column<UserSession>[] {
  return [
    {
      id: "user",
      label: "Who",
      width: "22%",
      narrow: "main",
      cell: (each) => (
        <>
          <bdi>{plain(each.user)}</bdi>
          {each.current && " (this session)"}
        </>
      ),
    },
    { id: "role", label: "Role", width: "110px", narrow: "side", cell: (each) => each.role },
    {
      id: "login",
      label: "By",
      width: "110px",
      narrow: "side",
      cell: (each) => each.login && (LOGIN[each.login] ?? each.login),
    },
    { id: "from", label: "From", narrow: "side", cell: (each) => <bdi>{plain(each.from ?? "")}</bdi> },
    {
      id: "since",
      label: "Since",
      width: "120px",
      align: "end",
      narrow: "side",
      cell: (each) => <Time at={each.creationTimestamp} />,
    },
    {
      id: "until",
      label: "Until",
      width: "120px",
      align: "end",
      narrow: "side",
      cell: (each) => <Time at={each.expirationTimestamp} />,
    },
    {
      id: "end",
      label: "Actions",
      width: "90px",
      align: "end",
      cell: (each) => (
        <Button
          look="quiet"
          aria-label={`End the session of ${plain(each.user)} from ${each.from ?? "nowhere"}`}
          onPress={() => end(each)}
        >
          End…
        </Button>
      ),
    },
  ];
}

/** A list of sessions, of `user` or of all that the caller may see, each with the way to end it. */
export function Sessions({
  user,
  page = 1,
  onPage,
}: {
  user: string | undefined;
  page?: number;
  onPage?: (page: number) => void;
}) {
  const query = useSessions(user, page);
  const [asked, setAsked] = useState<UserSession>();
  const columns = useMemo(() => columnsOf(setAsked), []);
  const rows = query.data?.elements ?? [];
  const total = query.data?.pageMetadata.totalElements ?? 0;
  return (
    <>
      {query.isError && <ErrorBox error={query.error} />}
      {rows.length > 0 && (
        <Grid label="Sessions" columns={columns} rows={rows} total={total} keyOf={(each) => each.id} />
      )}
      {query.data && rows.length === 0 && <Empty title="Nobody is logged in." />}
      {total > SESSIONS && onPage && <Pager page={page} pageSize={SESSIONS} total={total} onPage={onPage} />}
      {asked && (
        <ActionDialog
          title={asked.current ? "End this session" : `End a session of ${plain(asked.user)}`}
          facts={[
            "Its tokens are refused at once; work that its calls began goes on.",
            asked.current
              ? "It is the session of this page: you are signed out."
              : "Whoever has it can log in again: a password or role that must not be used is changed at the account.",
          ]}
          button="End the session"
          danger
          command={`longhaul session end ${asked.id}`}
          run={() => must(api.DELETE("/v1/sessions/{id}", { params: { path: { id: asked.id } } }))}
          done={`A session of ${plain(asked.user)} has ended`}
          stale={[["sessions"]]}
          onDone={() => asked.current && signalSignedOut()}
          onClose={() => setAsked(undefined)}
        />
      )}
    </>
  );
}
