import { Stack, TextField, Typography } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get, type Shape } from "../../api/client";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Panel, Told } from "../../shared/parts";
import { matching, placeText } from "./lineage";

type Line = Shape<"ColumnLineageShape">;
const places = (of: Line["sources"]) => (of && of.length > 0 ? of.map(placeText).join(", ") : "–");
const COLUMNS: Column<Line>[] = [
  { name: "column", mono: true, tight: true, cell: (one) => one.column },
  { name: "from the source", mono: true, wide: 200, cell: (one) => places(one.origins) },
  { name: "as the step reads it", mono: true, wide: 180, cell: (one) => places(one.sources) },
  { name: "made by", mono: true, wide: 220, cell: (one) => one.expression || "–" },
];

/** Where each column of each output comes from. */
export function Lineage({ job }: { job: string }) {
  const [wanted, setWanted] = useState("");
  const lineage = useQuery({ queryKey: ["jobs", job, "lineage"], queryFn: () => get("/api/v1/jobs/{job}/lineage", { job }) });
  return (
    <Panel title="Where each column comes from" aside={<TextField label="Column or table" value={wanted} onChange={(event) => setWanted(event.target.value)} />}>
      <Told query={lineage} lines={8}>
        {(steps) => {
          const found = matching(steps, wanted);
          if (found.length === 0) return <Empty>{steps.length === 0 ? "No step makes a table." : "No column and no table has this in its name."}</Empty>;
          return (
            <Stack sx={{ gap: 2 }}>
              {found.map((step) => (
                <div key={step.step}>
                  <Typography component="h3" sx={{ fontSize: 13, fontWeight: 600 }}><code>{step.output}</code> by <code>{step.step}</code></Typography>
                  {step.note && <Typography color="text.secondary">{step.note}</Typography>}
                  {(step.columns ?? []).length > 0 && <Grid label={`columns of ${step.output}`} columns={COLUMNS} rows={step.columns ?? []} keyOf={(one) => one.column} height={320} />}
                </div>
              ))}
            </Stack>
          );
        }}
      </Told>
    </Panel>
  );
}
