import { Box, Button, Checkbox, Stack, Table, TableBody, TableCell, TableContainer, TableHead, TableRow } from "@mui/material";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { address, get } from "../../api/client";
import { May } from "../../api/session";
import { Choice } from "../../shared/Choice";
import { ExceptionDetail } from "../../shared/ExceptionDetail";
import { Find } from "../../shared/Find";
import { count } from "../../shared/format";
import { Empty, Failure, Panel, Told, UnitLink, UnitSign, When } from "../../shared/parts";
import { Retry } from "../../shared/Retry";
import { useShown } from "./shown";
import { SINCE, sinceOf } from "./since";
import type { Change, Filter } from "./QuarantinePage";

/** The units of one run that match the filter; one of them opened. */
export function Units({ filter, change }: { filter: Filter; change: Change }) {
  const [chosen, setChosen] = useState<string[]>([]);
  const run = useQuery({ queryKey: ["runs", filter.run, "run"], queryFn: () => get("/api/v1/runs/{run}", { run: filter.run }) });
  const asked = { state: filter.state, reason: filter.reason, key: filter.key, error: filter.error, since: sinceOf(filter.since, Date.now() / 1000) };
  const list = useInfiniteQuery({
    queryKey: ["quarantine", "units", filter.run, asked],
    initialPageParam: "",
    queryFn: ({ pageParam }) => get("/api/v1/runs/{run}/quarantine", { run: filter.run }, { ...asked, cursor: pageParam, limit: 50 }),
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 10_000,
  });
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  // What is looked for is what is tried again: never all of the run because somebody has overlooked a filter.
  const narrowed = filter.key !== "" || filter.error !== "" || filter.since !== "";
  const shown = items.filter((one) => one.state === "quarantined").map((one) => one.key);
  const job = run.data?.job ?? "";
  const toggle = (key: string) => setChosen((now) => (now.includes(key) ? now.filter((one) => one !== key) : [...now, key]));
  const units = useShown(filter.unit ? "" : filter.reason, list.data !== undefined);
  return (
    <Stack ref={units} sx={{ gap: 2, minWidth: 0, scrollMarginTop: 8 }}>
      <Panel title={filter.reason || "All reasons"} aside={<a href={address("/api/v1/runs/{run}/quarantine.csv", { run: filter.run }, asked)} download>CSV</a>}>
        <Stack direction="row" sx={{ gap: 1, mb: 1, flexWrap: "wrap", alignItems: "center" }}>
          <Find label="Unit key" value={filter.key} find={(key) => change({ key, unit: "" })} />
          <Choice label="Set aside" value={filter.since} options={SINCE.map(([name, word]) => [name, word] as const)} choose={(since) => change({ since, unit: "" })} />
          {filter.reason && <Button onClick={() => change({ reason: "", unit: "" })}>Any reason</Button>}
          <May role="operator"><Retry nobody={narrowed && shown.length === 0} run={filter.run} reason={filter.reason} keys={narrowed && chosen.length === 0 ? shown : chosen} word={narrowed && chosen.length === 0 ? `the ${count(shown.length)} shown` : undefined} done={() => setChosen([])} /></May>
        </Stack>
        {list.error && <Failure error={list.error} />}
        {list.data && items.length === 0 && <Empty>No unit matches.</Empty>}
        {items.length > 0 && (
          <TableContainer tabIndex={0} role="region" aria-label="units set aside" sx={{ maxHeight: 480 }}>
            <Table size="small" stickyHeader>
              <TableHead><TableRow><May role="operator"><TableCell padding="checkbox">pick</TableCell></May>{["unit", "state", "message", "when"].map((name) => <TableCell key={name}>{name}</TableCell>)}</TableRow></TableHead>
              <TableBody>
                {items.map((one) => (
                  <TableRow key={one.key} selected={filter.unit === one.key}>
                    <May role="operator"><TableCell padding="checkbox"><Checkbox size="small" checked={chosen.includes(one.key)} onChange={() => toggle(one.key)} slotProps={{ input: { "aria-label": `choose ${one.key}` } }} /></TableCell></May>
                    <TableCell><Button className="mono" sx={{ p: 0, minWidth: 0 }} onClick={() => change({ unit: one.key })}>{one.key}</Button></TableCell>
                    <TableCell><UnitSign state={one.state} /></TableCell>
                    <TableCell sx={{ overflowWrap: "anywhere", minWidth: 260 }}>{one.message}</TableCell>
                    <TableCell sx={{ whiteSpace: "nowrap" }}><When at={one.at} /></TableCell>
                  </TableRow>
                ))}
              </TableBody>
            </Table>
          </TableContainer>
        )}
        {list.hasNextPage && <Button onClick={() => void list.fetchNextPage()}>More</Button>}
      </Panel>
      {filter.unit && <Detail run={filter.run} job={job} unit={filter.unit} />}
    </Stack>
  );
}

function Detail({ run, job, unit }: { run: string; job: string; unit: string }) {
  const found = useQuery({ queryKey: ["runs", run, "units", unit], queryFn: () => get("/api/v1/runs/{run}/units/{key}", { run, key: unit }), refetchInterval: 10_000 });
  const detail = useShown(unit, found.data !== undefined);
  return (
    <Box ref={detail} sx={{ minWidth: 0, scrollMarginTop: 8 }}>
      <Panel title={<>Unit <code>{unit}</code></>} aside={job && <UnitLink job={job} of={unit}>everything about it</UnitLink>}>
        <Told query={found}>
          {(told) => (told.exception ? <ExceptionDetail found={told.exception} /> : <span><UnitSign state={told.state} />: it is set aside no longer.</span>)}
        </Told>
      </Panel>
    </Box>
  );
}
