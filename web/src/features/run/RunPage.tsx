/** The cutover page: is it moving, will it be done in time, what is wrong, what can be turned. */
import { Alert, Box, Stack } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { memo } from "react";
import { useParams, useSearchParams } from "react-router-dom";
import type { Shape } from "../../api/client";
import { May } from "../../api/session";
import { later } from "../../shared/later";
import { Told, Waiting } from "../../shared/parts";
import { Tabs } from "../../shared/Tabs";
import { Chunks } from "./Chunks";
import { Costs, StepCosts, SystemCosts } from "./Costs";
import { Events } from "./Events";
import { Head } from "./Head";
import { useBeginning, useProgress, useStream, type Event } from "./live";
import { Load } from "./Load";
import { Logs } from "./Logs";
import { Machines } from "./Machines";
import { begin as read, reads } from "./reads";
import { Reasons } from "./Reasons";
import { Rows } from "./Rows";
import { Settings } from "./Settings";
import { Stragglers } from "./Stragglers";
import { SystemsNow } from "./SystemsNow";
import { TABS, tabOf } from "./tabs";
import { useTimes } from "./times";
import { Turn } from "./Turn";

const Charts = later(() => import("./Charts"), <Waiting lines={16} />);
const TWO = { display: "grid", gap: 2, gridTemplateColumns: { xs: "minmax(0, 1fr)", md: "minmax(0, 2fr) minmax(0, 1fr)" } };
const CHARTS = { ...TWO, "@media (min-width: 1900px)": { gridTemplateColumns: "minmax(0, 1fr) minmax(0, 1fr)" } };
/** What stands beside the charts: below each other, on a wide screen side by side. */
const BESIDE = { display: "grid", gap: 2, minWidth: 0, alignContent: "start", alignItems: "start", gridTemplateColumns: "minmax(0, 1fr)", "@media (min-width: 1900px)": { gridTemplateColumns: "minmax(0, 1fr) minmax(0, 1fr)" } };
const EVEN = { display: "grid", gap: 2, gridTemplateColumns: { xs: "minmax(0, 1fr)", md: "minmax(0, 1fr) minmax(0, 1fr)" } };

/** What the page at this address begins with: its charts' file, and what it shows. */
export const begin = (...at: Parameters<typeof read>) => Promise.all([Charts.load(), read(...at)]);

export default function RunPage() {
  const { run: id = "" } = useParams();
  return <OneRun key={id} id={id} />;
}

function OneRun({ id }: { id: string }) {
  return <Told query={useBeginning(id)} lines={10}>{(beginning) => <Live id={id} beginning={beginning} />}</Told>;
}

/** All of it is read after its beginning: no event falls between what was read and what is told. */
function Live({ id, beginning }: { id: string; beginning: Event[] }) {
  const { connected, events } = useStream(id, beginning);
  const run = useQuery(reads.run(id));
  const progress = useProgress(id, connected);
  return (
    <Told query={run} lines={10}>
      {(known) => (
        <Stack sx={{ gap: 2 }}>
          <Head run={known} progress={progress.data} events={events} />
          {progress.error && <Alert severity="warning">The server does not answer; the run goes on without it. This page tries again by itself.</Alert>}
          <Steady.Parts run={known} state={progress.data?.state ?? known.state} events={events} connected={connected} />
        </Stack>
      )}
    </Told>
  );
}

/** Drawn anew when they have something else to tell, not whenever the page has. */
const Steady = {
  Chunks: memo(Chunks), Costs: memo(Costs), Drawn: memo(Drawn), Events: memo(Events), Load: memo(Load), Logs: memo(Logs), Machines: memo(Machines), Parts: memo(Parts),
  Reasons: memo(Reasons), Rows: memo(Rows), StepCosts: memo(StepCosts), Stragglers: memo(Stragglers), SystemCosts: memo(SystemCosts), SystemsNow: memo(SystemsNow), Turn: memo(Turn),
};

interface Of {
  run: Shape<"RunShape">;
  state: Shape<"RunState">;
  events: Event[];
  connected: boolean;
}

/** One part of the page at a time; which one stands in the address. */
function Parts(of: Of) {
  const [params] = useSearchParams();
  const tab = tabOf(params.get("tab"));
  const { run, state } = of;
  const turn = <May role="operator"><Steady.Turn run={run} state={state} /></May>;
  return (
    <>
      <Tabs label="parts of the run" tabs={TABS} tab={tab} />
      {tab === "progress" && <Progress {...of} />}
      {tab === "workers" && (
        <>
          <Steady.Machines run={run.id} job={run.job} state={state} />
          <Box sx={TWO}><Stack sx={{ gap: 2, minWidth: 0 }}><Steady.Load run={run.id} state={state} /><Steady.Chunks run={run.id} state={state} /></Stack>{turn}</Box>
          <Steady.Drawn run={run.id} state={state} of="machines" />
        </>
      )}
      {tab === "systems" && <><Steady.SystemCosts run={run.id} job={run.job} state={state} /><Steady.StepCosts run={run.id} state={state} /><Steady.Rows run={run.id} state={state} /></>}
      {tab === "quarantine" && <Steady.Reasons run={run} whole />}
      {tab === "events" && <><Steady.Events events={of.events} connected={of.connected} height="60vh" /><Steady.Logs run={run.id} state={state} height="60vh" /></>}
      {tab === "settings" && <>{turn}<Settings run={run} /></>}
    </>
  );
}

/** What the charts draw is asked for while their file is fetched. */
function Drawn({ run, state, of }: { run: string; state: Shape<"RunState">; of: "pace" | "machines" }) {
  return <Charts {...useTimes(run, state)} of={of} />;
}

function Progress({ run, state, events, connected }: Of) {
  return (
    <>
      <Box sx={CHARTS}>
        <Steady.Drawn run={run.id} state={state} of="pace" />
        <Box sx={BESIDE}>
          <May role="operator"><Steady.Turn run={run} state={state} /></May>
          <Steady.Costs run={run.id} state={state} />
          <Steady.Reasons run={run} />
        </Box>
      </Box>
      <Steady.Machines run={run.id} job={run.job} state={state} />
      <Box sx={EVEN}><Steady.Rows run={run.id} state={state} /><Stack sx={{ gap: 2, minWidth: 0 }}><Steady.SystemsNow run={run.id} job={run.job} state={state} events={events} /><Steady.Stragglers run={run.id} job={run.job} state={state} /></Stack></Box>
      <Box sx={EVEN}><Steady.Events events={events} connected={connected} /><Steady.Logs run={run.id} state={state} /></Box>
    </>
  );
}
