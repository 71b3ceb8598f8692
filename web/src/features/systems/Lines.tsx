import { Box } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { get } from "../../api/client";
import { bytes, level, rate, span } from "../../shared/format";
import { LineChart, type Curve } from "../../shared/LineChart";
import { marks } from "../../shared/marks";
import { Empty, Told } from "../../shared/parts";
import { fromFirst, linesOf, type Point } from "./health";

const CALLS: Curve<Point>[] = [{ name: "calls/s", of: (point) => point.calls, colour: "var(--s-accent)" }];
const FLYING: Curve<Point>[] = [{ name: "on their way", of: (point) => point.flying, colour: "var(--s-accent)" }];
const P95: Curve<Point>[] = [{ name: "p95", of: (point) => point.p95, peak: true, colour: "var(--s-doubt)" }];
const BYTES: Curve<Point>[] = [
  { name: "sent", of: (point) => point.sent, colour: "var(--s-accent)" },
  { name: "received", of: (point) => point.received, colour: "var(--s-doubt)", dash: "5 3" },
];
const HELD: Curve<Point>[] = [{ name: "waiting", of: (point) => point.waited, colour: "var(--s-paused)" }];
const TROUBLE: Curve<Point>[] = [
  { name: "failed/s", of: (point) => point.failed, colour: "var(--s-failed)" },
  { name: "429/s", of: (point) => point.throttled, colour: "var(--s-paused)", dash: "5 3" },
];

/** Small charts beside each other where there is room: all have one time axis. */
const SMALL = { display: "grid", columnGap: 2, rowGap: 1.5, gridTemplateColumns: { xs: "minmax(0, 1fr)", lg: "repeat(2, minmax(0, 1fr))" } };

/** A system's lines over one run, on one time axis, with marks of who changed what. */
export default function Lines({ run, system, live }: { run: string; system: string; live: boolean }) {
  const every = live ? 5_000 : false;
  const series = useQuery({ queryKey: ["runs", run, "costs"], queryFn: () => get("/api/v1/runs/{run}/figures/series", { run }), refetchInterval: every });
  const commands = useQuery({ queryKey: ["runs", run, "commands"], queryFn: () => get("/api/v1/runs/{run}/commands", { run }), refetchInterval: every });
  return (
    <Told query={series} lines={16}>
      {(found) => {
        const made = marks(commands.data ?? []);
        const all = { data: fromFirst(linesOf(found, system), made), made, bare: true };
        if (all.data.length < 2) return <Empty>The first samples come a few seconds after the start.</Empty>;
        return (
          <Box sx={SMALL}>
            <LineChart {...all} title="Calls, queries and writes by second" show={rate} lines={CALLS} quiet />
            <LineChart {...all} title="On their way at once, all workers" show={level} lines={FLYING} quiet />
            <LineChart {...all} title="Latency, p95" show={span} lines={P95} quiet />
            <LineChart {...all} title="Bytes by second" show={(value) => `${bytes(value)}/s`} lines={BYTES} quiet />
            <LineChart {...all} title="Requests waiting for the pace at once" show={level} lines={HELD} quiet />
            <LineChart {...all} title="Failed, and told to come later (429)" show={rate} lines={TROUBLE} />
          </Box>
        );
      }}
    </Told>
  );
}
