/** Calls to APIs over all runs: what was asked, what was answered, and what nobody can tell. */
import { Box, Button, Stack, TextField, Typography } from "@mui/material";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { Choice } from "../../shared/Choice";
import { useFilters } from "../../shared/filters";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Failure, Panel, UnitLink, Waiting, When } from "../../shared/parts";
import { Call, CallSign } from "./Call";
import { STATES } from "./looks";
import { Resolved } from "./Resolve";

type One = Shape<"CallOfRunShape">;
const NAMES = ["state", "system", "run", "job", "call"] as const;

export default function CallsPage() {
  const [filter, change] = useFilters(NAMES);
  const { call, ...asked } = filter;
  const [told, setTold] = useState<Shape<"ResolvedShape"> | null>(null);
  const systems = useQuery({ queryKey: ["systems"], queryFn: () => get("/api/v1/systems") });
  const calls = useInfiniteQuery({
    queryKey: ["calls", asked],
    initialPageParam: "",
    queryFn: ({ pageParam }) => get("/api/v1/calls", {}, { ...asked, cursor: pageParam, limit: 50 }),
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 10_000,
  });
  const items = calls.data?.pages.flatMap((page) => page.items) ?? [];
  // A link leads to one call, however many came after it.
  const alone = useQuery({ queryKey: ["call", call], queryFn: () => get("/api/v1/calls", {}, { call, limit: 1 }), enabled: call !== "" && calls.isSuccess && !items.some((one) => one.id === call), refetchInterval: 10_000 });
  const opened = [...items, ...(alone.data?.items ?? [])].find((one) => one.id === call);
  const named = [...new Set((systems.data ?? []).filter((one) => one.roles.includes("calls")).map((one) => one.name))];
  const COLUMNS: Column<One>[] = [
    { name: "call", tight: true, cell: (one) => <Button className="mono" aria-pressed={one.id === call} sx={{ p: 0, minWidth: 0, fontSize: 12 }} onClick={() => change({ call: one.id === call ? "" : one.id })}>{one.method} {one.output}</Button> },
    { name: "state", tight: true, cell: (one) => <CallSign state={one.state} /> },
    { name: "status", right: true, cell: (one) => one.status ?? "–" },
    { name: "unit", mono: true, tight: true, cell: (one) => <UnitLink job={one.job} of={one.key} /> },
    { name: "reason", wide: 160, cell: (one) => one.reason || "–" },
    { name: "tries", right: true, cell: (one) => one.generation + 1 },
    { name: "run", mono: true, tight: true, cell: (one) => <Link to={`/runs/${encodeURIComponent(one.run)}`}>{one.run}</Link> },
    { name: "changed", tight: true, cell: (one) => <When at={one.changed_at} /> },
  ];
  return (
    <Stack sx={{ gap: 2 }}>
      <Typography variant="h1">Calls</Typography>
      <Stack direction="row" sx={{ gap: 1, flexWrap: "wrap", alignItems: "center" }}>
        <Choice label="State" value={filter.state} options={[["", "all"], ...STATES.map(([state, look]) => [state, look.word] as const)]} choose={(state) => change({ state, call: "" })} />
        <Choice label="System" value={filter.system} options={[["", "all"], ...named.map((name) => [name, name] as const)]} choose={(system) => change({ system, call: "" })} />
        <Search key={filter.run} value={filter.run} find={(run) => change({ run, call: "" })} />
        {filter.job && <Button variant="outlined" onClick={() => change({ job: "", call: "" })} aria-label={`job ${filter.job}: show all jobs`}>job {filter.job} ✕</Button>}
      </Stack>
      {told && <Resolved told={told} close={() => setTold(null)} />}
      {opened && <Call call={opened} close={() => change({ call: "" })} resolved={setTold} />}
      <Panel title="The newest first">
        {calls.error && <Failure error={calls.error} again={() => void calls.refetch()} />}
        {calls.isPending && <Waiting lines={8} />}
        {calls.data && items.length === 0 && <Empty>{Object.values(asked).some(Boolean) ? "No call matches." : "No job has called an API yet."}</Empty>}
        {items.length > 0 && <Grid label="calls" columns={COLUMNS} rows={items} keyOf={(one) => one.number} chosen={(one) => one.id === call} />}
        {calls.hasNextPage && <Box sx={{ mt: 1 }}><Button disabled={calls.isFetchingNextPage} onClick={() => void calls.fetchNextPage()}>More</Button></Box>}
      </Panel>
    </Stack>
  );
}

function Search({ value, find }: { value: string; find: (run: string) => void }) {
  const [text, setText] = useState(value);
  return (
    <form onSubmit={(event) => { event.preventDefault(); find(text.trim()); }}>
      <TextField label="Run" value={text} onChange={(event) => setText(event.target.value)} slotProps={{ inputLabel: { shrink: true } }} />
    </form>
  );
}
