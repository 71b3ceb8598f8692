import { Box, Button, Stack, Typography } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get, type Shape } from "../../api/client";
import { count } from "../../shared/format";
import { Panel, Told } from "../../shared/parts";
import { cell, RowsTable } from "../../shared/RowsTable";
import { byCell, said } from "./differences";

type Told_ = Shape<"UnitRowsShape">;
const tables = (of: Record<string, Record<string, unknown>[]>) => Object.entries(of).filter(([, held]) => held.length > 0);

/** Its rows are read when somebody asks: the job's code is loaded for it, and the audit says who looked. */
export function Rows({ unit }: { unit: Shape<"UnitShape"> }) {
  const [asked, setAsked] = useState<"" | "rows" | "found">("");
  const rows = useQuery({
    queryKey: ["units", unit.run, unit.key, "rows", asked],
    queryFn: () => get("/api/v1/runs/{run}/units/{key}/rows", { run: unit.run, key: unit.key }, { found: asked === "found" || undefined }),
    enabled: asked !== "",
    staleTime: Infinity,
    retry: false,
  });
  const actions = (
    <Stack direction="row" sx={{ gap: 1, flexWrap: "wrap" }}>
      {asked === "" && <Button variant="outlined" onClick={() => setAsked("rows")}>Read its rows</Button>}
      {unit.state === "done" && <Button variant="outlined" disabled={asked === "found" && rows.isFetching} onClick={() => (asked === "found" ? void rows.refetch() : setAsked("found"))}>{asked === "found" ? "Compare again" : "Compare with the targets"}</Button>}
    </Stack>
  );
  return (
    <Panel title="Rows" aside={actions}>
      {asked === "" ? <Typography color="text.secondary">Who reads a unit’s values is noted in the audit.</Typography> : <Told query={rows} lines={6}>{(told) => <Tables told={told} />}</Told>}
    </Panel>
  );
}

function Tables({ told }: { told: Told_ }) {
  const differences = told.differences ?? [];
  return (
    <Stack sx={{ gap: 1.5 }}>
      {told.found && <Box role="status" sx={{ fontWeight: 600, color: differences.length > 0 ? "var(--s-failed)" : "var(--s-done)" }}>{differences.length > 0 ? "≠" : "✓"} At the targets: {said(differences)}</Box>}
      {told.note && <Typography sx={{ overflowWrap: "anywhere" }}>{told.note}</Typography>}
      {told.masked && <Typography color="text.secondary">Values are masked: you do not have the right “personal”.</Typography>}
      {tables(told.source).map(([name, held]) => <div key={name}><Typography variant="h2" component="h3">{name}, in the source: {count(held.length)}</Typography><RowsTable rows={held} label={name} /></div>)}
      {tables(told.outputs).map(([name, held]) => <Written key={name} name={name} held={held} told={told} />)}
    </Stack>
  );
}

/** One output as it was written, with what stands at the target instead beside each cell that differs. */
function Written({ name, held, told }: { name: string; held: Record<string, unknown>[]; told: Told_ }) {
  const differences = byCell(told.differences ?? [], name);
  const first = Object.keys(held[0] ?? {})[0];
  const beside = (row: number, column: string) => {
    const one = differences.at(row, column);
    if (one) return <Box component="span" sx={{ color: "var(--s-failed)", fontWeight: 600 }}> ≠ {told.masked ? "masked" : cell(one.found)}</Box>;
    return differences.missing.has(row) && column === first ? <Box component="span" sx={{ color: "var(--s-failed)", fontWeight: 600 }}> ✕ missing at the target</Box> : null;
  };
  const looked = told.found?.[name] !== undefined;
  return (
    <div>
      <Typography variant="h2" component="h3">{name}, as written: {count(held.length)}{looked && (differences.count > 0 ? " · ≠ differs from the target" : " · ✓ so at the target")}</Typography>
      <RowsTable rows={held} label={name} beside={beside} />
    </div>
  );
}
