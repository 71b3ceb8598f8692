/** The cutover page: is it moving, will it be done in time, what is wrong, what can be turned. */
import { Alert, Box, Stack } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { useParams } from "react-router-dom";
import { get } from "../../api/client";
import { May } from "../../api/session";
import { Told, Waiting } from "../../shared/parts";
import { Chunks } from "./Chunks";
import { Events } from "./Events";
import { Head } from "./Head";
import { keyOf, useProgress, useStream } from "./live";
import { Logs } from "./Logs";
import { Machines } from "./Machines";
import { Reasons } from "./Reasons";
import { Rows } from "./Rows";
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
      {(known) => {
        const state = progress.data?.state ?? known.state;
        return (
          <Stack sx={{ gap: 2 }}>
            <Head run={known} progress={progress.data} />
            {progress.error && <Alert severity="warning">The server does not answer; the run goes on without it. This page tries again by itself.</Alert>}
            <Box sx={TWO}>
              <Suspense fallback={<Waiting lines={8} />}><Charts run={id} state={state} /></Suspense>
              <Stack sx={{ gap: 2, minWidth: 0 }}>
                <May role="operator"><Turn run={known} state={state} /></May>
                <Reasons run={known} />
              </Stack>
            </Box>
            <Machines run={id} state={state} />
            <Box sx={EVEN}><Rows run={id} state={state} /><Chunks run={id} state={state} /></Box>
            <Box sx={EVEN}><Events events={events} connected={connected} /><Logs run={id} state={state} /></Box>
          </Stack>
        );
      }}
    </Told>
  );
}
