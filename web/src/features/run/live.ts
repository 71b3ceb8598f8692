/** A run as it is told live: the stream fills what the queries hold, polling stands in when the line is lost. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { get, type Shape } from "../../api/client";
import { LIVE } from "../../shared/states";

const FAR = 30_000;
const NEAR = 3_000;
const AFTER_EVENT = 400;
const MOST_EVENTS = 200;
const FOLLOWS = [
  "run", "progress", "workers", "reasons", "rows", "chunks", "series", "commands",
  "costs", "figures", "load", "stragglers", "recount", "window",
];

export const keyOf = (run: string, what: string) => ["runs", run, what];

/** The newest events last, each once, at most 200. */
export function joined(known: Shape<"EventShape">[], fresh: Shape<"EventShape">[]): Shape<"EventShape">[] {
  const byNumber = new Map([...known, ...fresh].map((event) => [event.number, event]));
  return [...byNumber.values()].sort((a, b) => a.number - b.number).slice(-MOST_EVENTS);
}

export function useProgress(run: string, connected: boolean) {
  return useQuery({
    queryKey: keyOf(run, "progress"),
    queryFn: () => get("/api/v1/runs/{run}/progress", { run }),
    refetchInterval: connected ? FAR : NEAR,
  });
}

/** Whether the line stands. Events make what they change be read again, at most every 0.4 s. */
export function useStream(run: string): { connected: boolean; events: Shape<"EventShape">[] } {
  const client = useQueryClient();
  const [connected, setConnected] = useState(false);
  const [events, setEvents] = useState<Shape<"EventShape">[]>([]);
  useEffect(() => {
    setEvents([]);
    const stream = new EventSource(`/api/v1/runs/${encodeURIComponent(run)}/stream?after=0`);
    let waiting: Shape<"EventShape">[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const take = () => {
      timer = undefined;
      const fresh = waiting;
      waiting = [];
      setEvents((known) => joined(known, fresh));
      for (const what of FOLLOWS) void client.invalidateQueries({ queryKey: keyOf(run, what) });
    };
    stream.onopen = () => setConnected(true);
    stream.onerror = () => setConnected(false);
    stream.addEventListener("progress", (message: MessageEvent<string>) => {
      client.setQueryData(keyOf(run, "progress"), JSON.parse(message.data));
    });
    stream.addEventListener("event", (message: MessageEvent<string>) => {
      waiting.push(JSON.parse(message.data) as Shape<"EventShape">);
      timer ??= setTimeout(take, AFTER_EVENT);
    });
    return () => {
      stream.close();
      clearTimeout(timer);
    };
  }, [client, run]);
  return { connected, events };
}

/** How often what no event tells is read again: not at all once the run is over. */
export const beat = (state: Shape<"RunState"> | undefined, every = NEAR): number | false =>
  state && LIVE.has(state) ? every : false;
