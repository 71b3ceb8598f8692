import { Button, Stack } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { get, type Shape } from "../../api/client";
import { useFilters } from "../../shared/filters";
import { bytes, level, percent, rate, span } from "../../shared/format";
import { LineChart, type Curve } from "../../shared/LineChart";
import { marks } from "../../shared/marks";
import { Empty, Panel, Told } from "../../shared/parts";
import { systemsOf, withLatency, type Timed } from "./costs";
import { lately, points } from "./figures";
import { beat, keyOf } from "./live";

const COLOURS = ["accent", "doubt", "done", "quarantined", "failed", "gone"];
const DASHES = [undefined, "6 3", "2 3", "8 3 2 3"];
/** A colour and a dash for each system: neither stands alone. */
const look = (index: number) => ({ colour: `var(--s-${COLOURS[index % COLOURS.length]})`, dash: DASHES[index % DASHES.length] });
const RATE: Curve<Timed>[] = [{ name: "units/s", of: (point) => point.rate, colour: "var(--s-accent)" }];
const HOST: Curve<Timed>[] = [
  { name: "processor", of: (point) => point.cpu, colour: "var(--s-accent)" },
  { name: "memory", of: (point) => point.memory, colour: "var(--s-doubt)", dash: "5 3" },
];
const HELD: Curve<Timed>[] = [{ name: "memory", of: (point) => point.workersMemory, colour: "var(--s-doubt)" }];
const CORES: Curve<Timed>[] = [{ name: "cores", of: (point) => point.workersCpu, colour: "var(--s-accent)" }];

/** What stands in the address, what is said, and for how many seconds before the newest sample. */
const SPANS = [["", "whole run", null], ["1h", "last hour", 3600], ["10m", "last 10 minutes", 600]] as const;

/** Charts of one time axis, of the whole run or its end: pace and latency, or what host and workers spend. */
export default function Charts({ run, state, of }: { run: string; state: Shape<"RunState">; of: "pace" | "machines" }) {
  const series = useQuery({ queryKey: keyOf(run, "series"), queryFn: () => get("/api/v1/runs/{run}/series", { run }), refetchInterval: beat(state) });
  const costs = useQuery({ queryKey: keyOf(run, "costs"), queryFn: () => get("/api/v1/runs/{run}/figures/series", { run }), refetchInterval: beat(state, 5_000) });
  const commands = useQuery({ queryKey: keyOf(run, "commands"), queryFn: () => get("/api/v1/runs/{run}/commands", { run }) });
  const [asked, change] = useFilters(["span"] as const);
  const aside = (
    <Stack role="group" aria-label="time shown" direction="row">
      {SPANS.map(([name, word]) => <Button key={name} aria-pressed={asked.span === name} variant={asked.span === name ? "outlined" : "text"} onClick={() => change({ span: name })}>{word}</Button>)}
    </Stack>
  );
  return (
    <Stack sx={{ gap: 2, minWidth: 0 }}>
      <Told query={series} lines={16}>
        {(samples) => {
          const data = lately(withLatency(points(samples), costs.data ?? []), SPANS.find(([name]) => name === asked.span)?.[2] ?? null);
          const made = marks(commands.data ?? []);
          const all = { data, made };
          if (data.length < 2) return <Panel title="Throughput" min={220}><Empty>The first samples come a few seconds after the start.</Empty></Panel>;
          const share = (value: number) => percent(value, 1);
          if (of === "machines") {
            return (
              <>
                <LineChart {...all} title="Host: processor and memory" show={share} top={1} lines={HOST} aside={aside} />
                <LineChart {...all} title="Processors used by the workers" show={level} lines={CORES} quiet />
                <LineChart {...all} title="Memory of the workers" show={bytes} lines={HELD} quiet />
              </>
            );
          }
          const systems = systemsOf(costs.data ?? []).map((name, index): Curve<Timed> => ({ name, of: (point) => point.p95[name] ?? null, ...look(index) }));
          return (
            <>
              <LineChart {...all} title="Throughput, units/s" show={rate} lines={RATE} aside={aside} />
              <LineChart {...all} title="Latency of the systems, p95" show={span} lines={systems} quiet />
              <LineChart {...all} title="Host: processor and memory" show={share} top={1} lines={HOST} quiet />
            </>
          );
        }}
      </Told>
    </Stack>
  );
}
