import { Button, Stack } from "@mui/material";
import { useMemo, type ReactNode } from "react";
import type { Shape } from "../../api/client";
import { useFilters } from "../../shared/filters";
import { bytes, level, percent, rate, span } from "../../shared/format";
import { LineChart, type Curve } from "../../shared/LineChart";
import { marks } from "../../shared/marks";
import { Empty, Panel, Told } from "../../shared/parts";
import { systemsOf, withLatency, type Latency, type Timed } from "./costs";
import { lately, points } from "./figures";
import type { useTimes } from "./times";

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

const NONE: Latency[] = [];
const NOBODY: Shape<"CommandShape">[] = [];
const share = (value: number) => percent(value, 1);

/** What stands in the address, what is said, and for how many seconds before the newest sample. */
const SPANS = [["", "whole run", null], ["1h", "last hour", 3600], ["10m", "last 10 minutes", 600]] as const;

/** Charts of one time axis, of the whole run or its end: pace and latency, or what host and workers spend. */
export default function Charts({ series, costs, commands, of }: ReturnType<typeof useTimes> & { of: "pace" | "machines" }) {
  const [asked, change] = useFilters(["span"] as const);
  const aside = (
    <Stack role="group" aria-label="time shown" direction="row">
      {SPANS.map(([name, word]) => <Button key={name} aria-pressed={asked.span === name} variant={asked.span === name ? "outlined" : "text"} onClick={() => change({ span: name })}>{word}</Button>)}
    </Stack>
  );
  return (
    <Stack sx={{ gap: 2, minWidth: 0 }}>
      <Told query={series} lines={16}>
        {(samples) => <Lines samples={samples} costs={costs.data} commands={commands.data} seconds={SPANS.find(([name]) => name === asked.span)?.[2] ?? null} of={of} aside={aside} />}
      </Told>
    </Stack>
  );
}

interface Of {
  samples: Shape<"SampleShape">[];
  costs: Latency[] | undefined;
  commands: Shape<"CommandShape">[] | undefined;
  seconds: number | null;
  of: "pace" | "machines";
  aside: ReactNode;
}

/** What is drawn is made anew only when the server has told something else. */
function Lines({ samples, costs = NONE, commands = NOBODY, seconds, of, aside }: Of) {
  const data = useMemo(() => lately(withLatency(points(samples), costs), seconds), [samples, costs, seconds]);
  const made = useMemo(() => marks(commands), [commands]);
  const named = systemsOf(costs).join("\n");
  const systems = useMemo(() => named.split("\n").filter(Boolean).map((name, index): Curve<Timed> => ({ name, of: (point) => point.p95[name] ?? null, peak: true, ...look(index) })), [named]);
  const all = { data, made };
  if (data.length < 2) return <Panel title="Throughput" min={220}><Empty>The first samples come a few seconds after the start.</Empty></Panel>;
  if (of === "machines") {
    return (
      <>
        <LineChart {...all} title="Host: processor and memory" show={share} top={1} lines={HOST} aside={aside} />
        <LineChart {...all} title="Processors used by the workers" show={level} lines={CORES} quiet />
        <LineChart {...all} title="Memory of the workers" show={bytes} lines={HELD} quiet />
      </>
    );
  }
  return (
    <>
      <LineChart {...all} title="Throughput, units/s" show={rate} lines={RATE} aside={aside} />
      <LineChart {...all} title="Latency of the systems, p95" show={span} lines={systems} quiet />
      <LineChart {...all} title="Host: processor and memory" show={share} top={1} lines={HOST} quiet />
    </>
  );
}
