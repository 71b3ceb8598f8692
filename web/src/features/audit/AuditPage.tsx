/** Who did what, when, from where, before and after. Entries are added, never changed. */
import { Box, Button, Stack, TextField, Typography } from "@mui/material";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { useFilters } from "../../shared/filters";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Failure, Panel, Waiting, When } from "../../shared/parts";
import { changes } from "./changes";

const NAMES = ["actor", "action"] as const;
const isRun = (subject: string) => /^\S+-\d{8}-\d{6}-[0-9a-f]+$/.test(subject);

export default function AuditPage() {
  const [asked, change] = useFilters(NAMES);
  const list = useInfiniteQuery({
    queryKey: ["audit", asked.actor, asked.action],
    initialPageParam: "",
    queryFn: ({ pageParam }) => get("/api/v1/audit", {}, { ...asked, cursor: pageParam, limit: 100 }),
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
  });
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  const known = [...new Set(items.map((one) => one.action))].sort();
  return (
    <Stack sx={{ gap: 2 }}>
      <Typography variant="h1">Audit</Typography>
      <Panel title="Who did what" aside={<Typography color="text.secondary">Entries are added, never changed.</Typography>}>
        <Stack direction="row" sx={{ gap: 1, mt: 1, mb: 1.5, flexWrap: "wrap" }}>
          <TextField label="Who" value={asked.actor} onChange={(event) => change({ actor: event.target.value })} />
          <TextField label="What" value={asked.action} placeholder="run.start" onChange={(event) => change({ action: event.target.value })} slotProps={{ htmlInput: { list: "actions" }, inputLabel: { shrink: true } }} />
          <datalist id="actions">{known.map((name) => <option key={name} value={name} />)}</datalist>
          {(asked.actor || asked.action) && <Button onClick={() => change({ actor: "", action: "" })}>All entries</Button>}
        </Stack>
        {list.error && <Failure error={list.error} again={() => void list.refetch()} />}
        {list.isPending && <Waiting lines={8} />}
        {list.data && items.length === 0 && <Empty>No entry matches: who and what are compared as a whole.</Empty>}
        {items.length > 0 && <Grid label="audit" columns={columns(change)} rows={items} keyOf={(one) => one.number} />}
        {list.hasNextPage && <Button onClick={() => void list.fetchNextPage()} disabled={list.isFetching}>Older entries</Button>}
      </Panel>
    </Stack>
  );
}

function columns(change: (values: { actor?: string; action?: string }) => void): Column<Shape<"AuditShape">>[] {
  const only = (word: string, values: { actor?: string; action?: string }) => <Button sx={{ p: 0, minWidth: 0, textAlign: "left" }} onClick={() => change(values)} title={`only ${word}`}>{word}</Button>;
  return [
    { name: "no.", right: true, cell: (one) => one.number },
    { name: "when", tight: true, cell: (one) => <When at={one.at} /> },
    { name: "who", cell: (one) => (one.actor ? only(one.actor, { actor: one.actor }) : "–") },
    { name: "from", mono: true, cell: (one) => one.address || "–" },
    { name: "what", mono: true, cell: (one) => only(one.action, { action: one.action }) },
    { name: "of", mono: true, wide: 120, cell: (one) => (isRun(one.subject) ? <Link to={`/runs/${one.subject}`}>{one.subject}</Link> : one.subject || "–") },
    { name: "came of it", cell: (one) => one.outcome },
    { name: "before → after", wide: 220, cell: (one) => <Changed entry={one} /> },
  ];
}

function Changed({ entry }: { entry: Shape<"AuditShape"> }) {
  const found = changes(entry.before, entry.after);
  if (found.length === 0) return "–";
  return found.map((one, index) => (
    <Box component="span" key={one.name}>
      {index > 0 && ", "}
      <Box component="span" sx={{ color: "text.secondary" }}>{one.name}</Box>{" "}
      {one.before !== null && <Box component="del" sx={{ color: "text.secondary" }}>{one.before}</Box>}
      {one.before !== null && one.after !== null && " → "}
      {one.after !== null && <Box component="ins" sx={{ textDecoration: "none", fontWeight: 600 }}>{one.after}</Box>}
    </Box>
  ));
}
