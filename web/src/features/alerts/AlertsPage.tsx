/** What needed a person: what, since when, until when, who takes care. */
import { Button, Stack, Typography } from "@mui/material";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router-dom";
import { get, send, type Shape } from "../../api/client";
import { May } from "../../api/session";
import { Choice } from "../../shared/Choice";
import { useFilters } from "../../shared/filters";
import { duration } from "../../shared/format";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Failure, Panel, Sign, Waiting, When } from "../../shared/parts";
import { SEVERITY_LOOK } from "../../shared/states";

type Alert = Shape<"AlertShape">;
const NAMES = ["which", "severity", "rule"] as const;

export default function AlertsPage() {
  const [asked, change] = useFilters(NAMES);
  const standing = asked.which !== "all";
  const client = useQueryClient();
  const list = useInfiniteQuery({
    queryKey: ["alerts", "page", standing],
    initialPageParam: "",
    queryFn: ({ pageParam }) => get("/api/v1/alerts", {}, { standing, cursor: pageParam, limit: 100 }),
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 10_000,
  });
  const take = useMutation({
    mutationFn: (alert: number) => send("post", "/api/v1/alerts/{alert}/acknowledge", { alert: String(alert) }),
    onSettled: () => client.invalidateQueries({ queryKey: ["alerts"] }),
  });
  const read = list.data?.pages.flatMap((page) => page.items) ?? [];
  const rules = [...new Set([...read.map((one) => one.rule), ...(asked.rule ? [asked.rule] : [])])].sort();
  const items = read.filter((one) => (!asked.severity || one.severity === asked.severity) && (!asked.rule || one.rule === asked.rule));
  return (
    <Stack sx={{ gap: 2 }}>
      <Typography variant="h1">Alerts</Typography>
      <Panel title={standing ? "What needs a person now" : "What needed a person"}>
        <Stack direction="row" sx={{ gap: 1, mt: 1, mb: 1.5, flexWrap: "wrap" }}>
          <Choice label="Which" value={asked.which} options={[["", "standing"], ["all", "all, over too"]]} choose={(which) => change({ which })} />
          <Choice label="Severity" value={asked.severity} options={[["", "all"], ["critical", "critical"], ["warning", "warning"]]} choose={(severity) => change({ severity })} />
          <Choice label="Rule" value={asked.rule} options={[["", "all"], ...rules.map((rule) => [rule, rule] as const)]} choose={(rule) => change({ rule })} />
        </Stack>
        {(list.error ?? take.error) && <Failure error={list.error ?? take.error} again={() => void list.refetch()} />}
        {list.isPending && <Waiting lines={5} />}
        {list.data && items.length === 0 && <Empty>{standing ? "Nothing needs a person now." : "No alert matches."}</Empty>}
        {items.length > 0 && <Grid label="alerts" columns={columns((alert) => take.mutate(alert), take.isPending)} rows={items} keyOf={(one) => one.number} />}
        {list.hasNextPage && <Button onClick={() => void list.fetchNextPage()} disabled={list.isFetching}>Older alerts</Button>}
      </Panel>
    </Stack>
  );
}

function columns(take: (alert: number) => void, busy: boolean): Column<Alert>[] {
  return [
    { name: "severity", tight: true, cell: (one) => <Sign look={SEVERITY_LOOK[one.severity]} /> },
    { name: "rule", mono: true, cell: (one) => one.rule },
    { name: "what", wide: 260, cell: (one) => one.text },
    { name: "run", mono: true, tight: true, cell: (one) => (one.run ? <Link to={`/runs/${one.run}`}>{one.run}</Link> : one.job || "–") },
    { name: "since", tight: true, cell: (one) => <When at={one.raised_at} /> },
    { name: "over", tight: true, cell: (one) => (one.ended_at ? `after ${duration(one.ended_at - one.raised_at)}` : "not yet") },
    {
      name: "who takes care",
      tight: true,
      cell: (one) => {
        if (one.acknowledged_by) return <><b>{one.acknowledged_by}</b>, since <When at={one.acknowledged_at} /></>;
        if (one.ended_at) return "nobody had to";
        return <May role="operator" otherwise="nobody yet"><Button variant="outlined" disabled={busy} onClick={() => take(one.number)}>I take care</Button></May>;
      },
    },
  ];
}
