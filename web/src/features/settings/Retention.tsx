import { Alert, Button, Checkbox, FormControlLabel, Stack, TextField, Typography } from "@mui/material";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { send } from "../../api/client";
import { finished } from "../../api/tasks";
import { Confirm, type Question } from "../../shared/Confirm";
import { bytes, count } from "../../shared/format";
import { Grid } from "../../shared/Grid";
import { Empty, Failure, Panel, When } from "../../shared/parts";
import { plan, type Plan } from "./purge";

/** What old runs left behind: shown first, removed when somebody says so. */
export function Retention() {
  const [age, setAge] = useState("90d");
  const [exceptions, setExceptions] = useState(false);
  const [question, setQuestion] = useState<Question | null>(null);
  const purge = useMutation({
    mutationFn: async (dry: boolean): Promise<Plan> => plan((await finished(await send("post", "/api/v1/purge", {}, { older_than: age, with_exceptions: exceptions, dry_run: dry }))).outcome),
  });
  const told = purge.data;
  return (
    <Panel title="Retention" aside={<Typography color="text.secondary">Nothing goes by itself.</Typography>}>
      <form onSubmit={(event) => { event.preventDefault(); purge.mutate(true); }}>
        <Stack direction="row" sx={{ gap: 1, mt: 1, flexWrap: "wrap", alignItems: "center" }}>
          <TextField label="Runs that ended so long ago" required value={age} onChange={(event) => { setAge(event.target.value); purge.reset(); }} slotProps={{ htmlInput: { pattern: "\\d+(\\.\\d+)?[mhdw]", title: "A number and m, h, d or w, such as 90d" } }} />
          <FormControlLabel control={<Checkbox checked={exceptions} onChange={(event) => { setExceptions(event.target.checked); purge.reset(); }} />} label="runs with exceptions too" />
          <Button type="submit" variant="outlined" disabled={purge.isPending}>{purge.isPending ? "Looking…" : "See what would go"}</Button>
          {told?.dry && told.runs.length > 0 && (
            <Button variant="contained" color="error" disabled={purge.isPending} onClick={() => setQuestion({ title: "Remove this for good?", says: `Journals, source rows of units set aside and records of ${count(told.runs.length)} runs go; the runs can then not be tried again or looked at.`, yes: "Remove", act: () => purge.mutate(false) })}>
              Remove it
            </Button>
          )}
        </Stack>
      </form>
      {purge.error && <Failure error={purge.error} />}
      {told && (told.dry
        ? told.runs.length === 0 ? <Empty>There is nothing to purge.</Empty> : <Found of={told} />
        : <Alert severity="success" sx={{ mt: 1 }}>What {count(told.removed)} {told.removed === 1 ? "run" : "runs"} had left behind was removed.</Alert>)}
      {told?.kept.map((one) => <Typography key={one.run} color="text.secondary">kept <code>{one.run}</code>: {one.why}</Typography>)}
      <Confirm question={question} close={() => setQuestion(null)} />
    </Panel>
  );
}

function Found({ of }: { of: Plan }) {
  const columns = [
    { name: "run", mono: true, tight: true, cell: (one: Plan["runs"][number]) => one.run },
    { name: "ended", tight: true, cell: (one: Plan["runs"][number]) => <When at={one.endedAt} /> },
    { name: "rows", right: true, cell: (one: Plan["runs"][number]) => count(one.rows) },
    { name: "in the repository", right: true, cell: (one: Plan["runs"][number]) => bytes(one.inRepository) },
    { name: "files", right: true, cell: (one: Plan["runs"][number]) => bytes(one.files) },
  ];
  return <Grid label="what would go" columns={columns} rows={of.runs} keyOf={(one) => one.run} />;
}
