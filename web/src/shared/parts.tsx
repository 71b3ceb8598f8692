/** What every page is made of: panels, states in word, sign and colour, and what stands there when there is nothing. */
import { Alert, Button, Paper, Stack, Typography } from "@mui/material";
import type { ReactNode } from "react";
import { Link } from "react-router-dom";
import { Problem, type Shape } from "../api/client";
import { moment } from "./format";
import { RUN_LOOK, UNIT_LOOK, type Look, type UnitState } from "./states";

export function Panel(props: { title: ReactNode; aside?: ReactNode; children: ReactNode; min?: number }) {
  return (
    <Paper variant="outlined" component="section" sx={{ p: 2, minWidth: 0, minHeight: props.min }}>
      <Stack direction="row" sx={{ mb: 1, alignItems: "center", justifyContent: "space-between", flexWrap: "wrap", gap: 1 }}>
        <Typography variant="h2" component="h2">{props.title}</Typography>
        {props.aside}
      </Stack>
      {props.children}
    </Paper>
  );
}

export function Sign({ look }: { look: Look }) {
  return (
    <span style={{ color: look.colour, fontWeight: 600, whiteSpace: "nowrap" }}>
      <span aria-hidden="true">{look.sign} </span>{look.word}
    </span>
  );
}
export const RunSign = ({ state }: { state: Shape<"RunState"> }) => <Sign look={RUN_LOOK[state]} />;
export const UnitSign = ({ state }: { state: UnitState }) => <Sign look={UNIT_LOOK[state]} />;

export const When = ({ at }: { at: number | null | undefined }) => <span title={moment(at)}>{moment(at)}</span>;

export function UnitLink({ job, of, children }: { job: string; of: string; children?: ReactNode }) {
  return <Link className="mono" to={`/units/${encodeURIComponent(job)}/${encodeURIComponent(of)}`}>{children ?? of}</Link>;
}

export function Empty({ children }: { children: ReactNode }) {
  return <Typography color="text.secondary" sx={{ py: 1 }}>{children}</Typography>;
}

export const Waiting = ({ lines = 3 }: { lines?: number }) => (
  <div role="status" aria-label="loading" className="waiting">
    {Array.from({ length: lines }, (_, line) => <div key={line} />)}
  </div>
);

/** A page that is not there yet: as high as the window, so that nothing below it jumps when it comes. */
export const Coming = () => <div style={{ minHeight: "100vh" }}><Waiting lines={8} /></div>;

/** What went wrong, where, and what to do, as the server says it. */
export function Failure({ error, again }: { error: unknown; again?: () => void }) {
  const told = error instanceof Problem ? error : new Problem(0, { detail: String(error) });
  return (
    <Alert severity="error" action={again && <Button color="inherit" onClick={again}>Try again</Button>}>
      {told.message}
      {told.where && <div>at {told.where}</div>}
      {told.mistakes.map((one) => <div key={one.where + one.message}>{one.where}: {one.message}</div>)}
      {told.remedy && <div>{told.remedy}</div>}
    </Alert>
  );
}

interface Asked<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}
/** The answer once it is there; a skeleton before, the problem if there never was one. */
export function Told<T>({ query, lines, children }: { query: Asked<T>; lines?: number; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <Failure error={query.error} again={() => void query.refetch()} />;
  return <Waiting lines={lines} />;
}
