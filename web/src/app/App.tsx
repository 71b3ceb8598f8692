/** Who is not logged in sees the login; who is, the pages. Each page is a file of its own, loaded when it is opened. */
import { Container } from "@mui/material";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { BrowserRouter, Outlet, Route, Routes } from "react-router-dom";
import { Problem } from "../api/client";
import { roleMay, SessionOf, useSession, useWhoIsHere, WHO_IS_HERE } from "../api/session";
import { later } from "../shared/later";
import { Coming, Empty, Failure, Waiting } from "../shared/parts";
import { useTitle } from "../shared/title";
import { fetchAhead } from "./ahead";
import { Frame } from "./Frame";
import { pageAt, PAGES, type Place } from "./pages";
import { Themed } from "./theme";

const OUTSIDE = <Container sx={{ py: 3 }}><Waiting lines={6} /></Container>;
const Login = later(() => import("../features/login/LoginPage"), OUTSIDE);
const NewPassword = later(() => import("../features/login/NewPassword"), OUTSIDE);
const client = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (times, error) => (error instanceof Problem && error.status >= 400 && error.status < 500 ? false : times < 3),
      refetchOnWindowFocus: false,
    },
  },
});

/** Milliseconds for which the first page waits for what it begins with, so that it is drawn once; after them it shows what is there. */
const MOST = 400;
let over = false;
/** Its file is fetched, and what it shows is read, while the server is asked who is here; `first/first.ts` has asked for all of that already. */
const begun = Promise.race([prepared(window.location), new Promise((go) => setTimeout(go, MOST))]).then(() => { over = true; });

async function prepared({ pathname, search }: Location): Promise<void> {
  const here = pageAt(pathname);
  await here?.load().catch(() => undefined);
  await client.prefetchQuery(WHO_IS_HERE);
  if (client.getQueryData(WHO_IS_HERE.queryKey)) await here?.begin(client, pathname, search).catch(() => undefined);
}

export function App() {
  return (
    <Themed>
      <QueryClientProvider client={client}>
        {/* Filters stand in the address: as a transition it would follow too late, and letters typed meanwhile be lost. */}
        <BrowserRouter useTransitions={false}>
          <Door />
        </BrowserRouter>
      </QueryClientProvider>
    </Themed>
  );
}

function Door() {
  const here = useWhoIsHere();
  useEffect(fetchAhead, []);
  if (here.data === undefined) {
    if (here.error) return <Container sx={{ py: 3 }}><Failure error={here.error} again={() => void here.refetch()} /></Container>;
    return OUTSIDE;
  }
  if (here.data === null) return <Login />;
  if (here.data.must_change) return <NewPassword />;
  return (
    <SessionOf session={here.data}>
      <Routes>
        {PAGES.filter((place) => place.bare).map((place) => <Route key={place.path} path={place.path} element={<Shown place={place} />} />)}
        <Route element={<Frame><Outlet /></Frame>}>
          {PAGES.filter((place) => !place.bare).map((place) => <Route key={place.path} path={place.path} element={<Shown place={place} />} />)}
          <Route path="*" element={<Empty>There is no page at this address.</Empty>} />
        </Route>
      </Routes>
    </SessionOf>
  );
}

/** The page, for those who may open it; one line for others, without asking the server what it would refuse. */
function Shown({ place }: { place: Place }) {
  const { role } = useSession();
  const [ready, setReady] = useState(over);
  useEffect(() => void begun.then(() => setReady(true)), []);
  useTitle(place.menu ?? place.word);
  if (place.role && !roleMay(role, place.role)) return <><h1>{place.menu}</h1><Empty>This page needs the role {place.role}; you are {role}.</Empty></>;
  return ready ? <place.page /> : <Coming />;
}
