import { Box } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router-dom";
import { address, type Shape } from "../../api/client";
import { count } from "../../shared/format";
import { Empty, Panel, Told, UnitLink, UnitSign } from "../../shared/parts";
import { beat } from "./live";
import { reads } from "./reads";

const told = (reasons: Shape<"ReasonShape">[] | undefined) => (reasons ?? []).reduce((sum, one) => sum + one.units, 0);

const MOST = 10;

/** Why units were set aside, the most frequent first; each reason leads to its units. */
export function Reasons({ run, whole = false }: { run: Shape<"RunShape">; whole?: boolean }) {
  const progress = useQuery({ ...reads.progress(run.id), enabled: false });
  const { quarantined, in_doubt: doubt, gone, rolled_back: back } = progress.data?.counters ?? run.counters;
  const reasons = useQuery({
    ...reads.reasons(run.id),
    // No event tells of a unit set aside: it is read again for as long as it tells of fewer than the head of the page does.
    refetchInterval: (query) => (told(query.state.data) === quarantined + doubt + gone + back ? false : beat(progress.data?.state ?? run.state)),
  });
  return (
    <Panel title="Set aside, by reason" min={120} aside={whole && <span><Link to={`/quarantine?run=${encodeURIComponent(run.id)}`}>one by one</Link> · <a href={address("/api/v1/runs/{run}/quarantine.csv", { run: run.id })} download>CSV</a></span>}>
      <Told query={reasons}>
        {(found) => {
          const ordered = [...found].sort((a, b) => b.units - a.units);
          const most = ordered[0]?.units ?? 1;
          if (ordered.length === 0) return <Empty>No unit was set aside.</Empty>;
          const shown = ordered.slice(0, whole ? undefined : MOST);
          const [left, units] = [ordered.length - shown.length, told(ordered) - told(shown)];
          return [...shown.map((one) => (
            <Box key={one.reason + one.state} sx={{ mb: 1 }}>
              <Box sx={{ display: "flex", gap: 1, justifyContent: "space-between" }}>
                <Link style={{ overflowWrap: "anywhere" }} to={`/quarantine?${new URLSearchParams({ run: run.id, reason: one.reason }).toString()}`}>{one.reason}</Link>
                <b>{count(one.units)}</b>
              </Box>
              {whole && <Box sx={{ color: "text.secondary", mb: 0.5 }}><UnitSign state={one.state} />{one.step && <>, step <code>{one.step}</code></>}, such as {(one.keys ?? []).slice(0, 3).map((key, index) => <span key={key}>{index > 0 && ", "}<UnitLink job={run.job} of={key} /></span>)}</Box>}
              <Box style={{ width: `${(one.units / most) * 100}%` }} sx={{ height: 4, bgcolor: "var(--s-quarantined)", borderRadius: 1 }} />
            </Box>
          )), left > 0 && <Link key="left" to={`/runs/${encodeURIComponent(run.id)}?tab=quarantine`}>{count(left)} more {left === 1 ? "reason" : "reasons"}: {count(units)} {units === 1 ? "unit" : "units"}</Link>];
        }}
      </Told>
    </Panel>
  );
}
