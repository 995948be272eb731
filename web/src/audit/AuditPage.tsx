import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { adminLine } from "../api/admin-commands";
import { api, must } from "../api/client";
import type { AuditEntry } from "../api/types";
import { Button } from "../ui/Button";
import { CopyCommand } from "../ui/CopyCommand";
import { Empty, ErrorBox } from "../ui/ErrorBox";
import { ChoiceFilter, FilterBar, pageOf, TextFilter, useAddress } from "../ui/Filters";
import { type Column, Grid } from "../ui/Grid";
import { PageHead } from "../ui/PageHead";
import { Pager } from "../ui/Pager";
import { StatusLabel } from "../ui/Status";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";
import { hrefOfTarget } from "./targets";

const PAGE_SIZE = 50;

const COLUMNS: Column<AuditEntry>[] = [
  { id: "at", label: "When", width: "130px", narrow: "side", cell: (entry) => <Time at={entry.timestamp} /> },
  { id: "user", label: "Who", width: "14%", narrow: "side", cell: (entry) => <bdi>{plain(entry.user)}</bdi> },
  {
    id: "action",
    label: "Call",
    width: "16%",
    narrow: "main",
    cell: (entry) => <bdi>{plain(entry.action)}</bdi>,
  },
  { id: "target", label: "To what", width: "20%", cell: (entry) => <Target entry={entry} /> },
  {
    id: "outcome",
    label: "Outcome",
    width: "110px",
    narrow: "side",
    cell: (entry) => (
      <StatusLabel
        look={
          entry.outcome === "REFUSED"
            ? { word: "Refused", tone: "bad", icon: "slash" }
            : { word: "Accepted", tone: "good", icon: "check" }
        }
      />
    ),
  },
  {
    id: "detail",
    label: "Detail",
    cell: (entry) => entry.detail && <bdi title={plain(entry.detail)}>{plain(entry.detail)}</bdi>,
  },
  {
    id: "from",
    label: "From, reference",
    width: "14%",
    narrow: "side",
    cell: (entry) => <bdi>{[entry.from, entry.referenceToken].filter(Boolean).join(", ")}</bdi>,
  },
];

function Target({ entry }: { entry: AuditEntry }) {
  if (!entry.target) return null;
  const href = hrefOfTarget(entry.action, entry.target);
  const text = <bdi>{plain(entry.target)}</bdi>;
  return href ? <Link href={href}>{text}</Link> : text;
}

/** Who changed what in the whole installation. */
export function AuditPage() {
  const [address, setAddress] = useAddress(["user", "action", "target", "outcome", "since", "page"]);
  const { user, action, target, outcome, since } = address;
  const page = pageOf(address.page);
  const query = useQuery({
    queryKey: ["audit", user, action, target, outcome, since, page],
    placeholderData: keepPreviousData,
    queryFn: () =>
      must(
        api.GET("/v1/audit", {
          params: {
            query: {
              pageNumber: page,
              pageSize: PAGE_SIZE,
              ...(user ? { user } : {}),
              ...(action ? { action } : {}),
              ...(target ? { target } : {}),
              ...(since ? { since } : {}),
              ...(outcome === "ACCEPTED" || outcome === "REFUSED" ? { outcome } : {}),
            },
          },
        }),
      ),
  });
  const rows = query.data?.elements ?? [];
  const total = query.data?.pageMetadata.totalElements ?? 0;
  const filtered = !!(user || action || target || outcome || since);
  const filter = (name: "user" | "action" | "target" | "since", label: string, hint: string) => (
    <TextFilter
      label={label}
      hint={hint}
      value={address[name]}
      onChange={(text) => setAddress({ [name]: text })}
    />
  );
  return (
    <>
      <PageHead
        title="Audit log"
        facts={query.data && <span>{total.toLocaleString("en")} entries</span>}
        actions={
          <>
            <CopyCommand text={adminLine.audit(address)} />
            <Button onPress={() => void query.refetch()}>Read again</Button>
          </>
        }
      />
      <FilterBar>
        {filter("user", "Who", "admin")}
        {filter("action", "Call", "cancelTask")}
        {filter("target", "To what", "Task, workflow, queue, account")}
        <ChoiceFilter
          label="Outcome"
          value={outcome}
          onChange={(value) => setAddress({ outcome: value })}
          values={[
            ["", "All"],
            ["ACCEPTED", "Accepted"],
            ["REFUSED", "Refused"],
          ]}
        />
        {filter("since", "Since", "2026-01-31T00:00:00Z")}
        {filtered && (
          <Button onPress={() => setAddress({ user: "", action: "", target: "", outcome: "", since: "" })}>
            Clear filters
          </Button>
        )}
      </FilterBar>
      {query.isError && <ErrorBox error={query.error} />}
      {!query.isError && rows.length > 0 && (
        <Grid
          keys
          label="Audit log"
          columns={COLUMNS}
          rows={rows}
          first={(page - 1) * PAGE_SIZE + 1}
          total={total}
          keyOf={(entry) => String(entry.id)}
        />
      )}
      {query.isSuccess && rows.length === 0 && (
        <Empty title={page > 1 ? "This page is behind the last entry." : "Nothing matches these filters."} />
      )}
      {!query.isError && (total > PAGE_SIZE || page > 1) && (
        <Pager
          page={page}
          pageSize={PAGE_SIZE}
          total={total}
          onPage={(to) => setAddress({ page: String(to) })}
        />
      )}
    </>
  );
}
