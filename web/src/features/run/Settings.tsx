import { Button, Stack } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router-dom";
import type { Shape } from "../../api/client";
import { count, moment } from "../../shared/format";
import { Facts } from "../../shared/Facts";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Panel, Told } from "../../shared/parts";
import { reads } from "./reads";

type Command = Shape<"CommandShape">;
const told = (of: object | null | undefined) => Object.entries(of ?? {}).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`).join(", ") || "–";
const COLUMNS: Column<Command>[] = [
  { name: "when", tight: true, cell: (one) => moment(one.at) },
  { name: "who", cell: (one) => one.by },
  { name: "what", tight: true, cell: (one) => one.name },
  { name: "to", wide: 160, cell: (one) => told(one.arguments) },
  { name: "outcome", wide: 120, cell: (one) => one.outcome ?? (one.done_at ? "done" : "not yet seen by the run") },
];

/** What this run is: version, parameters, selection, what is in force, who turned what, and whether the books agree. */
export function Settings({ run }: { run: Shape<"RunShape"> }) {
  const commands = useQuery(reads.commands(run.id));
  const recount = useQuery(reads.recount(run.id));
  const limits = Object.entries(run.live.calls).map(([system, of]) => [system, `${of.pace == null ? "no pace" : `${of.pace}/s`}, ${of.in_flight ?? "any number"} in flight`] as const);
  return (
    <Stack sx={{ gap: 2 }}>
      <Panel title="This run">
        <Facts
          of={[
            ["job", <Link to={`/jobs/${encodeURIComponent(run.job)}`}>{run.job}</Link>],
            ["version", <code>{run.version}</code>],
            ["instance", <code>{run.instance}</code>],
            ["started by", `${run.actor}, on ${run.host}, ${moment(run.started_at)}`],
            ["parameters", told(run.parameters)],
            ["selection", run.selection ? told(run.selection) : "all units"],
            ["in force", `${run.live.workers} workers, chunks of ${count(run.live.chunk)} units`],
            ...limits,
          ]}
        />
      </Panel>
      <Panel title="The books" aside={<Button disabled={recount.isFetching} onClick={() => void recount.refetch()}>{recount.isFetching ? "Counting …" : "Count again"}</Button>}>
        <Told query={recount}>
          {(found) => (
            <>
              <p style={{ marginTop: 0 }}>{found.agrees ? "✓ Counted again from unit list, chunks and units set aside: all agree." : "✕ The counters and what is counted again differ. This must not be: report it."}</p>
              <Facts of={[["listed", count(found.listed)], ["done", count(found.done)], ["set aside", count(found.aside)], ["held by workers", count(found.held)], ["claimed by nobody", count(found.unclaimed)], ["finished chunks without a decision", count(found.undecided)], ["calls of units set aside that still stand", count(found.live_calls)]]} />
              {found.wrong.map((one) => (
                <p key={JSON.stringify([one.state, one.phase, one.step, one.reason])}>
                  {`The counter of units ${one.state.replace("_", " ")} at ${one.step || one.phase}${one.system ? ` (${one.system})` : ""} for “${one.reason}” says ${count(one.kept)}; there are ${count(one.counted)}.`}
                </p>
              ))}
            </>
          )}
        </Told>
      </Panel>
      <Panel title="Who turned what">
        <Told query={commands}>{(found) => (found.length === 0 ? <Empty>Nobody has changed anything since the start.</Empty> : <Grid label="commands" columns={COLUMNS} rows={[...found].reverse()} keyOf={(one) => one.number} />)}</Told>
      </Panel>
    </Stack>
  );
}
