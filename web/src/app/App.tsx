/** Who is not logged in sees the login; who is, the pages. Each page is a file of its own, loaded when it is opened. */
import { Container } from "@mui/material";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { BrowserRouter, Route, Routes } from "react-router-dom";
import { Problem } from "../api/client";
import { SessionOf, useWhoIsHere } from "../api/session";
import { Empty, Failure, Waiting } from "../shared/parts";
import { Frame } from "./Frame";
import { Themed } from "./theme";

const Login = lazy(() => import("../features/login/LoginPage"));
const NewPassword = lazy(() => import("../features/login/NewPassword"));
const Overview = lazy(() => import("../features/overview/OverviewPage"));
const Run = lazy(() => import("../features/run/RunPage"));
const Quarantine = lazy(() => import("../features/quarantine/QuarantinePage"));
const Calls = lazy(() => import("../features/calls/CallsPage"));
const Compare = lazy(() => import("../features/compare/ComparePage"));
const Job = lazy(() => import("../features/job/JobPage"));
const Unit = lazy(() => import("../features/unit/UnitPage"));
const Launch = lazy(() => import("../features/launch/LaunchPage"));

const client = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (times, error) => (error instanceof Problem && error.status >= 400 && error.status < 500 ? false : times < 3),
      refetchOnWindowFocus: false,
    },
  },
});

export function App() {
  return (
    <Themed>
      <QueryClientProvider client={client}>
        <BrowserRouter>
          <Suspense fallback={<Container sx={{ py: 3 }}><Waiting lines={6} /></Container>}><Door /></Suspense>
        </BrowserRouter>
      </QueryClientProvider>
    </Themed>
  );
}

function Door() {
  const here = useWhoIsHere();
  if (here.data === undefined) {
    if (here.error) return <Container sx={{ py: 3 }}><Failure error={here.error} again={() => void here.refetch()} /></Container>;
    return <Container sx={{ py: 3 }}><Waiting lines={6} /></Container>;
  }
  if (here.data === null) return <Login />;
  if (here.data.must_change) return <NewPassword />;
  return (
    <SessionOf session={here.data}>
      <Frame>
        <Suspense fallback={<Waiting lines={8} />}>
          <Routes>
            <Route path="/" element={<Overview />} />
            <Route path="/runs/:run" element={<Run />} />
            <Route path="/calls" element={<Calls />} />
            <Route path="/runs/:run/compare/:other" element={<Compare />} />
            <Route path="/jobs/:job" element={<Job />} />
            <Route path="/quarantine" element={<Quarantine />} />
            <Route path="/units/:job/:key" element={<Unit />} />
            <Route path="/launch" element={<Launch />} />
            <Route path="*" element={<Empty>There is no page at this address.</Empty>} />
          </Routes>
        </Suspense>
      </Frame>
    </SessionOf>
  );
}
