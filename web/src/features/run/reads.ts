/** What the run page reads, each with its name among the queries: by the parts that show it, and before them as the page begins. */
import { queryOptions, type QueryClient } from "@tanstack/react-query";
import { get } from "../../api/client";
import { latencies } from "./costs";
import { tabOf, type Tab } from "./tabs";

export const keyOf = (run: string, what: string) => ["runs", run, what];

const MOST_EVENTS = 200;
/** What was read this short a while ago is not read again because a further part shows it: events tell of what has changed since. */
const staleTime = 2_000;
/** For as long what the page begins with is kept for its parts. */
const WAITS = 10_000;

export const reads = {
  /** The newest events as the page opens, the newest last: what all that is read afterwards knows already, and nothing that was read before. Read once. */
  beginning: (run: string) => queryOptions({
    queryKey: keyOf(run, "beginning"),
    staleTime: Infinity,
    gcTime: 0,
    queryFn: async ({ client }) => {
      const newest = (await get("/api/v1/events", {}, { run, limit: MOST_EVENTS })).items.reverse();
      await client.invalidateQueries({ queryKey: ["runs", run], predicate: (query) => query.queryKey[2] !== "beginning", refetchType: "none" });
      return newest;
    },
  }),
  chunks: (run: string) => queryOptions({
    queryKey: keyOf(run, "chunks"),
    staleTime,
    queryFn: async () => {
      const asked = ["claimed", "decided", "released"].map((of) => get("/api/v1/runs/{run}/chunks", { run }, { state: of, limit: 50 }));
      return (await Promise.all(asked)).flatMap((page) => page.items).sort((a, b) => b.attempt - a.attempt);
    },
  }),
  commands: (run: string) => queryOptions({ queryKey: keyOf(run, "commands"), queryFn: () => get("/api/v1/runs/{run}/commands", { run }), staleTime }),
  figures: (run: string) => queryOptions({ queryKey: keyOf(run, "figures"), queryFn: () => get("/api/v1/runs/{run}/figures", { run }), staleTime }),
  latencies: (run: string) => queryOptions({ queryKey: keyOf(run, "latencies"), queryFn: async () => latencies(await get("/api/v1/runs/{run}/figures/series", { run })), staleTime }),
  load: (run: string) => queryOptions({ queryKey: keyOf(run, "load"), queryFn: () => get("/api/v1/runs/{run}/load", { run }), staleTime }),
  logs: (run: string, level: "" | "warning" | "error" = "") => queryOptions({ queryKey: [...keyOf(run, "logs"), level], queryFn: () => get("/api/v1/runs/{run}/logs", { run }, { lines: 100, level }), staleTime }),
  progress: (run: string) => queryOptions({ queryKey: keyOf(run, "progress"), queryFn: () => get("/api/v1/runs/{run}/progress", { run }), staleTime }),
  reasons: (run: string) => queryOptions({ queryKey: keyOf(run, "reasons"), queryFn: () => get("/api/v1/runs/{run}/quarantine/reasons", { run }), staleTime }),
  recount: (run: string) => queryOptions({ queryKey: keyOf(run, "recount"), queryFn: () => get("/api/v1/runs/{run}/audit", { run }), staleTime }),
  rows: (run: string) => queryOptions({ queryKey: keyOf(run, "rows"), queryFn: () => get("/api/v1/runs/{run}/rows", { run }), staleTime }),
  run: (run: string) => queryOptions({ queryKey: keyOf(run, "run"), queryFn: () => get("/api/v1/runs/{run}", { run }), staleTime }),
  series: (run: string) => queryOptions({ queryKey: keyOf(run, "series"), queryFn: () => get("/api/v1/runs/{run}/series", { run }), staleTime }),
  stragglers: (run: string) => queryOptions({ queryKey: keyOf(run, "stragglers"), queryFn: () => get("/api/v1/runs/{run}/stragglers", { run }, { limit: 8 }), staleTime }),
  workers: (run: string) => queryOptions({ queryKey: keyOf(run, "workers"), queryFn: () => get("/api/v1/runs/{run}/workers", { run }), staleTime }),
};

/** What each part of the page shows beside its head. The same is asked for while scripts are loaded (`first/asks.ts`). */
const PARTS: Record<Tab, (keyof typeof reads)[]> = {
  progress: ["series", "latencies", "commands", "figures", "workers", "rows", "reasons", "stragglers", "logs"],
  workers: ["series", "workers", "load", "latencies", "commands", "chunks"],
  systems: ["figures", "rows"],
  quarantine: ["reasons"],
  events: ["logs"],
  settings: ["series", "commands", "recount"],
};

/** Reads all that the page at this address begins with, so that it is drawn once. What fails is told by the part that shows it. */
export async function begin(client: QueryClient, path: string, search: string): Promise<void> {
  const run = decodeURIComponent(path.split("/")[2] ?? "");
  const asked = new URLSearchParams(search);
  await client.prefetchQuery({ ...reads.beginning(run), gcTime: WAITS });
  const parts = PARTS[tabOf(asked.get("tab"))].filter((what) => what !== "logs" || !asked.get("level"));
  const read = (what: keyof typeof reads) => client.prefetchQuery(reads[what](run) as Parameters<QueryClient["prefetchQuery"]>[0]);
  await Promise.all([read("run"), read("progress"), ...parts.map(read)]);
}
