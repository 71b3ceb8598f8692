import { Alert, Box, Stack } from "@mui/material";
import { count } from "./format";
import { Grid } from "./Grid";
import { StateCounts } from "./StateBar";
import { rehearsed } from "./rehearsed";

/** What a dry run has found, in words; the whole of it for whoever wants it. */
export function Rehearsed({ outcome }: { outcome: Record<string, unknown> }) {
  const found = rehearsed(outcome);
  return (
    <Alert severity={found.reasons.length > 0 ? "warning" : "success"}>
      <Stack sx={{ gap: 1.5 }}>
        <b>Rehearsed: nothing was written, and no call was sent.</b>
        {found.counters && <StateCounts counters={found.counters} />}
        {found.reasons.length > 0 && <Grid label="would be set aside" columns={[{ name: "would be set aside, because", wide: 160, cell: (one) => one.reason }, { name: "units", right: true, cell: (one) => count(one.units) }]} rows={found.reasons} keyOf={(one) => `${one.state} ${one.reason}`} />}
        {found.outputs.length > 0 && <Grid label="would be written" columns={[{ name: "would be written", mono: true, cell: (one) => one.output }, { name: "rows", right: true, cell: (one) => count(one.rows) }]} rows={found.outputs} keyOf={(one) => one.output} />}
        <details><summary>all of it</summary><Box component="pre" tabIndex={0} aria-label="the whole outcome" sx={{ m: 0, whiteSpace: "pre-wrap", overflowWrap: "anywhere", maxHeight: 320, overflow: "auto" }}>{JSON.stringify(outcome, null, 2)}</Box></details>
      </Stack>
    </Alert>
  );
}
