import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, must } from "../api/client";
import { useMay, useSession } from "../app/session-context";
import { ActionDialog } from "../ui/ActionDialog";
import { Button } from "../ui/Button";
import { ErrorBox, Remark } from "../ui/ErrorBox";
import { PageHead } from "../ui/PageHead";
import { Facts, Section } from "../ui/Section";
import { Time } from "../ui/Time";
import { Sessions } from "../users/Sessions";
import { PasswordDialog } from "./PasswordDialog";
import { RetentionDialog } from "./RetentionDialog";

type Asked = "password" | "retention" | "clock" | "keys";

/** The caller's own account, and settings of the server: how long tasks are kept, its clock, its signing keys. */
export function SettingsPage() {
  const session = useSession();
  const admin = useMay("ADMIN");
  const [asked, setAsked] = useState<Asked>();
  const close = () => setAsked(undefined);
  return (
    <>
      <PageHead title="Settings" />
      <Section
        title="Your account"
        actions={
          session.kind === "USER" && (
            <Button onPress={() => setAsked("password")}>Change your password…</Button>
          )
        }
      >
        <Facts
          facts={[
            ["Name", <bdi key="name">{session.name}</bdi>],
            ["Role", session.role],
          ]}
        />
      </Section>
      <Section title="Your sessions">
        <Sessions user={session.name} />
      </Section>
      <Retention admin={admin} onChange={() => setAsked("retention")} />
      <ClockSection admin={admin} onConfirm={() => setAsked("clock")} />
      {admin && (
        <Section
          title="Signing keys"
          actions={<Button onPress={() => setAsked("keys")}>Use a new key…</Button>}
        >
          <p>Access tokens are signed with a key of the server; tokens of the key before stay valid.</p>
        </Section>
      )}
      {asked === "password" && <PasswordDialog onClose={close} />}
      {asked === "retention" && <RetentionDialog onClose={close} />}
      {asked === "clock" && <ConfirmClock onClose={close} />}
      {asked === "keys" && <RotateKeys onClose={close} />}
    </>
  );
}

/** How long ended tasks are kept. */
export function useRetention() {
  return useQuery({
    queryKey: ["settings"],
    queryFn: () => must(api.GET("/v1/tasks/config/settings")),
  });
}

export const days = (n: number): string => `${n.toLocaleString("en")} ${n === 1 ? "day" : "days"}`;

function Retention({ admin, onChange }: { admin: boolean; onChange: () => void }) {
  const query = useRetention();
  return (
    <Section title="Retention" actions={admin && query.data && <Button onPress={onChange}>Change…</Button>}>
      {query.isError && <ErrorBox error={query.error} />}
      {query.data && <Facts facts={[["Ended tasks are kept for", days(query.data.retentionDays)]]} />}
    </Section>
  );
}

function ClockSection({ admin, onConfirm }: { admin: boolean; onConfirm: () => void }) {
  const query = useQuery({ queryKey: ["clock"], queryFn: () => must(api.GET("/v1/clock")) });
  const clock = query.data;
  const confirm = (
    <Button
      refused={clock?.doubted ? undefined : "The clock is not doubted: there is nothing to confirm"}
      onPress={onConfirm}
    >
      Confirm the clock…
    </Button>
  );
  return (
    <Section
      title="Clock"
      actions={
        <>
          {admin && clock && confirm}
          <Button onPress={() => void query.refetch()}>Read again</Button>
        </>
      }
    >
      {query.isError && <ErrorBox error={query.error} />}
      {clock?.doubted && (
        <Remark tone="warn">
          <p>
            The server doubts its clock, which is far ahead of when it was last at work: nothing is deleted
            that is old by the clock alone.
          </p>
        </Remark>
      )}
      {clock && (
        <Facts
          facts={[
            ["The server's clock", <code key="clock">{clock.clockTimestamp}</code>],
            ["Old tasks are deleted by", <code key="lived">{clock.livedTimestamp}</code>],
            ["Doubted", clock.doubted ? "yes" : "no"],
            ["Seen from this machine", <Time key="ahead" at={clock.clockTimestamp} />],
          ]}
        />
      )}
    </Section>
  );
}

function ConfirmClock({ onClose }: { onClose: () => void }) {
  return (
    <ActionDialog
      title="Confirm the clock"
      facts={[
        "You say that the server's clock is right: what is old by it may be deleted, for ever.",
        "The time of this machine is sent for comparison; more than an hour apart is refused.",
      ]}
      button="The clock is right"
      danger
      command="longhaul clock confirm"
      run={() => must(api.POST("/v1/clock/confirm", { body: { clockTimestamp: new Date().toISOString() } }))}
      done="The clock is confirmed"
      stale={[["clock"]]}
      onClose={onClose}
    />
  );
}

function RotateKeys({ onClose }: { onClose: () => void }) {
  return (
    <ActionDialog
      title="Use a new signing key"
      facts={["Access tokens are signed with a new key from now on. Nobody is logged out."]}
      button="Use a new key"
      run={() => must(api.POST("/v1/signing-keys/rotate"))}
      done="Tokens are signed with a new key"
      stale={[]}
      onClose={onClose}
    />
  );
}
