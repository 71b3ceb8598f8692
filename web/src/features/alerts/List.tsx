import { Box, Button, Stack } from "@mui/material";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router-dom";
import { get } from "../../api/client";
import { May, useSession } from "../../api/session";
import { Choice } from "../../shared/Choice";
import { useFilters } from "../../shared/filters";
import { count, duration } from "../../shared/format";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Failure, Panel, Sign, Waiting, When } from "../../shared/parts";
import { SEVERITY_LOOK } from "../../shared/states";
import { Care } from "./Care";
import { matches, standing, WHICH, type Alert } from "./which";

const NAMES = ["which", "severity", "rule", "job", "run"] as const;

/** Alerts, the newest first: what, since when, until when, who takes care and what they say of it. */
export function List() {
  const [asked, change] = useFilters(NAMES);
  const [care, setCare] = useState<Alert | null>(null);
  const { user } = useSession();
  const only = standing(asked.which);
  const list = useInfiniteQuery({
    queryKey: ["alerts", "page", only],
    initialPageParam: "",
    queryFn: ({ pageParam }) => get("/api/v1/alerts", {}, { standing: only, cursor: pageParam, limit: 100 }),
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 10_000,
  });
  const read = list.data?.pages.flatMap((page) => page.items) ?? [];
  const items = read.filter((one) => matches(one, asked));
  const known = (of: "rule" | "job" | "run") => ["", ...new Set([...read.map((one) => one[of]), asked[of]].filter(Boolean))].sort().map((one) => [one, one || "all"] as const);
  return (
    <Panel title={only ? "What needs a person now" : "What needed a person"} aside={list.data && <span role="status">{count(items.length)} of {count(read.length)} read</span>}>
      <Stack direction="row" sx={{ columnGap: 1, rowGap: 1.5, mt: 1, mb: 1.5, flexWrap: "wrap" }}>
        <Choice label="Which" value={asked.which} options={WHICH} choose={(which) => change({ which })} />
        <Choice label="Severity" value={asked.severity} options={[["", "all"], ["critical", "critical"], ["warning", "warning"]]} choose={(severity) => change({ severity })} />
        <Choice label="Rule" value={asked.rule} options={known("rule")} choose={(rule) => change({ rule })} />
        <Choice label="Job" value={asked.job} options={known("job")} choose={(job) => change({ job })} />
        <Choice label="Run" value={asked.run} options={known("run")} choose={(run) => change({ run })} />
      </Stack>
      {list.error && <Failure error={list.error} again={() => void list.refetch()} />}
      {list.isPending && <Waiting lines={5} />}
      {list.data && items.length === 0 && <Empty>{read.length === 0 && only ? "Nothing needs a person now: the server looks at every run that goes on every 10 seconds." : read.length === 0 ? "Nothing has needed a person so far." : "No alert matches."}</Empty>}
      {items.length > 0 && <Grid label="alerts" columns={columns(user, setCare)} rows={items} keyOf={(one) => one.number} />}
      {list.hasNextPage && <Button onClick={() => void list.fetchNextPage()} disabled={list.isFetching}>Older alerts</Button>}
      {care && <Care alert={care} close={() => setCare(null)} />}
    </Panel>
  );
}

function columns(me: string, care: (alert: Alert) => void): Column<Alert>[] {
  return [
    { name: "what", wide: 180, cell: (one) => <><div><Sign look={SEVERITY_LOOK[one.severity]} /> <Link className="mono" to={`?tab=rules&rule=${one.rule}`}>{one.rule}</Link></div>{one.text}</> },
    { name: "who takes care", wide: 124, cell: (one) => <Taken one={one} me={me} care={care} /> },
    { name: "run", mono: true, tight: true, cell: (one) => (one.run ? <Link to={`/runs/${one.run}`}>{one.run}</Link> : one.job || "–") },
    { name: "since", tight: true, cell: (one) => <When at={one.raised_at} /> },
    { name: "over", tight: true, cell: (one) => (one.ended_at ? `after ${duration(one.ended_at - one.raised_at)}` : "not yet") },
  ];
}

function Taken({ one, me, care }: { one: Alert; me: string; care: (alert: Alert) => void }) {
  if (!one.acknowledged_by) {
    if (one.ended_at) return "nobody had to";
    return <May role="operator" otherwise="nobody yet"><Button variant="outlined" onClick={() => care(one)}>I take care</Button></May>;
  }
  return (
    <Box>
      <b>{one.acknowledged_by}</b>, since <When at={one.acknowledged_at} />
      {one.note && <Box sx={{ whiteSpace: "pre-wrap" }}>“{one.note}”</Box>}
      {one.acknowledged_by === me && <May role="operator"><div><Button sx={{ ml: -0.75 }} onClick={() => care(one)}>{one.note ? "Change the note" : "Add a note"}</Button></div></May>}
    </Box>
  );
}
