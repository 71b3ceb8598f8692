import { Box, Button, Stack } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { May } from "../../api/session";
import { Facts } from "../../shared/Facts";
import { count, moment } from "../../shared/format";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Panel, Told } from "../../shared/parts";

type Version = Shape<"VersionShape">;
const run = (id: string | null | undefined) => (id ? <Link to={`/runs/${encodeURIComponent(id)}`}>{id}</Link> : "–");
const VERSIONS: Column<Version>[] = [
  { name: "version", tight: true, cell: (one) => <><code>{one.version}</code>{one.current && <b> ● in the folder now</b>}</> },
  { name: "runs", right: true, cell: (one) => count(one.runs) },
  { name: "units", right: true, cell: (one) => count(one.units) },
  { name: "first run", mono: true, tight: true, cell: (one) => run(one.first_run) },
  { name: "began", tight: true, cell: (one) => moment(one.first_at) },
  { name: "last run", mono: true, tight: true, cell: (one) => run(one.last_run) },
];

export function Versions({ job }: { job: string }) {
  const versions = useQuery({ queryKey: ["jobs", job, "versions"], queryFn: () => get("/api/v1/jobs/{job}/versions", { job }) });
  return <Panel title="Versions"><Told query={versions}>{(found) => (found.length === 0 ? <Empty>No run of this job yet.</Empty> : <Grid label="versions" columns={VERSIONS} rows={found} keyOf={(one) => one.version} />)}</Told></Panel>;
}

type Output = Shape<"OutputShape">;
const OUTPUTS: Column<Output>[] = [
  { name: "output", mono: true, tight: true, cell: (one) => one.name },
  { name: "mode", cell: (one) => one.mode },
  { name: "call", mono: true, cell: (one) => one.call ?? "–" },
  { name: "undone by", mono: true, cell: (one) => one.undo ?? "–" },
  { name: "looked up by", mono: true, wide: 180, cell: (one) => one.probe ?? "–" },
];

export function Outputs({ job }: { job: Shape<"JobDetailShape"> }) {
  return (
    <Panel title="What it writes">
      <Grid label="outputs" columns={OUTPUTS} rows={job.output_list ?? []} keyOf={(one) => one.name} />
      {(job.key_maps ?? []).length > 0 && <Box sx={{ mt: 2 }}><Facts of={(job.key_maps ?? []).map((one) => [`key ${one.name}`, `${one.kind}, for ${one.table}${(one.columns ?? []).length > 0 ? `.${(one.columns ?? []).join(", ")}` : ""}`] as const)} /></Box>}
    </Panel>
  );
}

const FINDINGS: Column<Shape<"FindingShape">>[] = [
  { name: "severity", tight: true, cell: (one) => <Box component="b" sx={{ color: one.severity === "error" ? "var(--s-failed)" : "var(--s-quarantined)" }}>{one.severity === "error" ? "✕ error" : "! warning"}</Box> },
  { name: "where", mono: true, cell: (one) => [one.system, one.table, one.column].filter(Boolean).join(", ") || "–" },
  { name: "what", wide: 240, cell: (one) => one.text },
  { name: "what to do", wide: 200, cell: (one) => one.remedy || "–" },
];

/** What `ludb check` says; an operator may have the systems looked at as well. */
export function Preflight({ job }: { job: string }) {
  const [connect, setConnect] = useState(false);
  const report = useQuery({ queryKey: ["jobs", job, "preflight", connect], queryFn: () => get("/api/v1/jobs/{job}/preflight", { job }, { connect: connect || undefined }), retry: false });
  return (
    <Panel title="Preflight" aside={<May role="operator"><Button variant="outlined" disabled={connect && report.isFetching} onClick={() => (connect ? void report.refetch() : setConnect(true))} title="Reads the systems' own descriptions; writes nothing">{connect ? "Look again" : "Look at the systems too"}</Button></May>}>
      <Told query={report}>
        {(found) => (
          <Stack sx={{ gap: 1 }}>
            <span>{found.ok ? "✓ Nothing stands in the way" : "✕ It would not run as it is"}{found.connected ? ", with its systems looked at." : ", as far as its texts tell."}</span>
            {found.findings.length > 0 && <Grid label="findings" columns={FINDINGS} rows={found.findings} keyOf={(one) => `${one.system} ${one.table} ${one.column} ${one.text}`} />}
          </Stack>
        )}
      </Told>
    </Panel>
  );
}
