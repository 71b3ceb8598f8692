/** The cutover page: is it moving, will it be done in time, what is wrong, what can be turned. */
import { Alert, Box, Stack } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { useParams, useSearchParams } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { May } from "../../api/session";
import { Told, Waiting } from "../../shared/parts";
import { Tabs } from "../../shared/Tabs";
import { Chunks } from "./Chunks";
import { Costs, StepCosts, SystemCosts } from "./Costs";
import { Events } from "./Events";
import { Head } from "./Head";
import { keyOf, useProgress, useStream } from "./live";
import { Load } from "./Load";
import { Logs } from "./Logs";
import { Machines } from "./Machines";
import { Reasons } from "./Reasons";
import { Rows } from "./Rows";
import { Settings } from "./Settings";
import { Stragglers } from "./Stragglers";
import { SystemsNow } from "./SystemsNow";
import { TABS, tabOf } from "./tabs";
import { Turn } from "./Turn";

const Charts = lazy(() => import("./Charts"));
const TWO = { display: "grid", gap: 2, gridTemplateColumns: { xs: "minmax(0, 1fr)", md: "minmax(0, 2fr) minmax(0, 1fr)" } };
const EVEN = { display: "grid", gap: 2, gridTemplateColumns: { xs: "minmax(0, 1fr)", md: "minmax(0, 1fr) minmax(0, 1fr)" } };

export default function RunPage() {
  const { run: id = "" } = useParams();
  return <OneRun key={id} id={id} />;
}

function OneRun({ id }: { id: string }) {
  const { connected, events } = useStream(id);
  const run = useQuery({ queryKey: keyOf(id, "run"), queryFn: () => get("/api/v1/runs/{run}", { run: id }) });
  const progress = useProgress(id, connected);
  return (
    <Told query={run} lines={10}>
      {(known) => (
        <Stack sx={{ gap: 2 }}>
          <Head run={known} progress={progress.data} events={events} />
          {progress.error && <Alert severity="warning">The server does not answer; the run goes on without it. This page tries again by itself.</Alert>}
          <Parts run={known} state={progress.data?.state ?? known.state} events={events} connected={connected} />
        </Stack>
      )}
    </Told>
  );
}

interface Of {
  run: Shape<"RunShape">;
  state: Shape<"RunState">;
  events: Shape<"EventShape">[];
  connected: boolean;
}

/** One part of the page at a time; which one stands in the address. */
function Parts(of: Of) {
  const [params] = useSearchParams();
  const tab = tabOf(params.get("tab"));
  const { run, state } = of;
  const turn = <May role="operator"><Turn run={run} state={state} /></May>;
  return (
    <>
      <Tabs label="parts of the run" tabs={TABS} tab={tab} />
      {tab === "progress" && <Progress {...of} />}
      {tab === "workers" && (
        <>
          <Machines run={run.id} job={run.job} state={state} />
          <Box sx={TWO}><Stack sx={{ gap: 2, minWidth: 0 }}><Load run={run.id} state={state} /><Chunks run={run.id} state={state} /></Stack>{turn}</Box>
          <Suspense fallback={<Waiting lines={16} />}><Charts run={run.id} state={state} of="machines" /></Suspense>
        </>
      )}
      {tab === "systems" && <><SystemCosts run={run.id} job={run.job} state={state} /><StepCosts run={run.id} state={state} /><Rows run={run.id} state={state} /></>}
      {tab === "quarantine" && <Reasons run={run} whole />}
      {tab === "events" && <><Events events={of.events} connected={of.connected} height="60vh" /><Logs run={run.id} state={state} height="60vh" /></>}
      {tab === "settings" && <>{turn}<Settings run={run} /></>}
    </>
  );
}

function Progress({ run, state, events, connected }: Of) {
  return (
    <>
      <Box sx={TWO}>
        <Suspense fallback={<Waiting lines={16} />}><Charts run={run.id} state={state} of="pace" /></Suspense>
        <Stack sx={{ gap: 2, minWidth: 0 }}>
          <May role="operator"><Turn run={run} state={state} /></May>
          <Costs run={run.id} state={state} />
          <Reasons run={run} />
        </Stack>
      </Box>
      <Machines run={run.id} job={run.job} state={state} />
      <Box sx={EVEN}><Rows run={run.id} state={state} /><Stack sx={{ gap: 2, minWidth: 0 }}><SystemsNow run={run.id} job={run.job} state={state} events={events} /><Stragglers run={run.id} job={run.job} state={state} /></Stack></Box>
      <Box sx={EVEN}><Events events={events} connected={connected} /><Logs run={run.id} state={state} /></Box>
    </>
  );
}
