import { useQuery } from "@tanstack/react-query";
import { adminLine } from "../api/admin-commands";
import { api, must } from "../api/client";
import type { Node } from "../api/types";
import { CopyCommand } from "../ui/CopyCommand";
import { ErrorBox, Remark } from "../ui/ErrorBox";
import { type Column, Grid } from "../ui/Grid";
import { PageHead } from "../ui/PageHead";
import { StatusLabel } from "../ui/Status";
import { Time } from "../ui/Time";
import { plain } from "../ui/text";

const COLUMNS: Column<Node>[] = [
  { id: "name", label: "Node", width: "24%", narrow: "main", cell: (node) => <bdi>{plain(node.name)}</bdi> },
  {
    id: "state",
    label: "State",
    width: "110px",
    narrow: "side",
    value: (node) => node.state,
    cell: (node) => (
      <StatusLabel
        look={
          node.state === "ACTIVE"
            ? { word: "Active", tone: "good", icon: "check" }
            : { word: "Silent", tone: "bad", icon: "warning" }
        }
      />
    ),
  },
  { id: "address", label: "Address", cell: (node) => <bdi>{plain(node.address)}</bdi> },
  { id: "version", label: "Version", width: "110px", narrow: "side", cell: (node) => node.version },
  {
    id: "start",
    label: "Started",
    width: "140px",
    align: "end",
    narrow: "side",
    cell: (node) => <Time at={node.startTimestamp} />,
  },
  {
    id: "seen",
    label: "Last heard of",
    width: "140px",
    align: "end",
    narrow: "side",
    cell: (node) => <Time at={node.seenTimestamp} />,
  },
];

/** The nodes that work on the same tasks. */
export function NodesPage() {
  const query = useQuery({
    queryKey: ["nodes"],
    queryFn: () => must(api.GET("/v1/nodes")),
    select: (page) => page.elements,
    // A node that falls silent is no change of a task, so that the feed does not tell.
    refetchInterval: 10_000,
  });
  const nodes = query.data ?? [];
  const silent = nodes.filter((node) => node.state === "SILENT");
  const versions = new Set(nodes.map((node) => node.version));
  return (
    <>
      <PageHead
        title="Nodes"
        facts={
          query.data && (
            <span>
              {nodes.length - silent.length} active{silent.length > 0 && `, ${silent.length} silent`}
            </span>
          )
        }
        actions={<CopyCommand text={adminLine.nodes()} />}
      />
      {query.isError && <ErrorBox error={query.error} />}
      {silent.length > 0 && (
        <Remark tone="warn">
          <p>
            {silent.length === 1 ? "A silent node is" : "Silent nodes are"} taken over by the others: attempts
            of built-in actions there are lost, and leases of workers go on.
          </p>
        </Remark>
      )}
      {versions.size > 1 && (
        <Remark>
          <p>The nodes have different versions: {[...versions].sort().join(", ")}.</p>
        </Remark>
      )}
      {nodes.length > 0 && (
        <Grid
          keys
          label="Nodes"
          columns={COLUMNS}
          rows={nodes}
          keyOf={(node) => `${node.name} ${node.startTimestamp}`}
        />
      )}
      {nodes.length === 1 && (
        <p>A server on its own files is the only node; with PostgreSQL, several work on the same tasks.</p>
      )}
    </>
  );
}
