import { Box, Stack } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import type { Shape } from "../../api/client";
import { bytes, count, duration, percent } from "../../shared/format";
import { Scrolls } from "../../shared/Grid";
import { Empty, Panel, Told, UnitLink } from "../../shared/parts";
import { LIVE } from "../../shared/states";
import { beat } from "./live";
import { reads } from "./reads";

const HOT = 0.92;

/** Host and workers: how hard they work, and at what. */
export function Machines({ run, job, state }: { run: string; job: string; state: Shape<"RunState"> }) {
  const workers = useQuery({ ...reads.workers(run), refetchInterval: beat(state) });
  const series = useQuery(reads.series(run));
  const last = LIVE.has(state) ? series.data?.[series.data.length - 1]?.data : undefined;
  return (
    <Panel title="Host and workers" min={140}>
      {last && (
        <Stack direction="row" sx={{ gap: 3, flexWrap: "wrap", mb: 1.5 }}>
          <Gauge name="processor" share={last.host_cpu} note={last.host_cores ? `${count(last.host_cores)} cores` : ""} />
          <Gauge name="memory" share={last.host_memory} />
          <Gauge name="disk" share={last.host_disk} />
          <span>workers: {(last.cpu ?? 0).toFixed(1)} cores, {bytes(last.memory)}</span>
        </Stack>
      )}
      <Told query={workers}>
        {(found) => (found.length === 0 ? <Empty>Nobody works at this run now.</Empty> : <Workers found={found} job={job} />)}
      </Told>
    </Panel>
  );
}

function Gauge({ name, share, note = "" }: { name: string; share: number | undefined; note?: string }) {
  if (share === undefined) return null;
  const hot = share >= HOT;
  return (
    <Box role="meter" aria-label={`${name} of the host`} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)} sx={{ width: 190 }}>
      <Stack direction="row" sx={{ justifyContent: "space-between", whiteSpace: "nowrap" }}>
        <span>{name} {note}</span>
        <b>{hot && "! "}{percent(share, 1)}</b>
      </Stack>
      <Box sx={{ height: 6, borderRadius: 1, bgcolor: "var(--bar-rest)" }}>
        <Box style={{ width: `${Math.min(1, share) * 100}%` }} sx={{ height: 6, borderRadius: 1, bgcolor: hot ? "var(--s-failed)" : "var(--s-accent)" }} />
      </Box>
    </Box>
  );
}

function Workers({ found, job }: { found: Shape<"WorkerShape">[]; job: string }) {
  const ordered = [...found].sort((a, b) => a.role.localeCompare(b.role) || a.id.localeCompare(b.id));
  return (
    <Scrolls label="workers">
      <table className="cells">
        <thead><tr>{["worker", "role", "state", "doing", "chunk from unit", "held for", "cores", "memory", "host", "pid"].map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
        <tbody>
          {ordered.map((one) => (
            <tr key={one.id} data-role={one.role}>
              <td className="mono tight">{one.id}</td>
              <td>{one.role}</td>
              <td>{one.state}</td>
              <td style={{ minWidth: 220 }}>{one.doing || "–"}</td>
              <td className="tight">{one.chunk_first == null ? "–" : <><UnitLink job={job} of={one.chunk_first} /> ({count(one.chunk_units)})</>}</td>
              <td className="tight">{duration(one.age)}</td>
              <td>{one.cpu.toFixed(2)}</td>
              <td className="tight">{bytes(one.memory)}</td>
              <td>{one.host}</td>
              <td>{one.pid}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolls>
  );
}
