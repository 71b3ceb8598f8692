/** A run as it is told live: the stream fills what the queries hold, polling stands in when the line is lost. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import type { Shape } from "../../api/client";
import { LIVE } from "../../shared/states";
import { paced } from "./paced";
import { keyOf, reads } from "./reads";

export type Event = Shape<"EventShape">;

const FAR = 30_000;
const NEAR = 3_000;
const AFTER_EVENT = 400;
const AFTER_DRAWING = 50;
const APART = 1_000;
const SLOWLY = 3_000;
const MOST_EVENTS = 200;
/** What an event changes, and is read again at once; and what sums up a whole run, of which no eye sees a difference sooner. Progress is told with the events. */
const AT_ONCE = ["run", "workers", "reasons", "chunks", "commands"];
const SUMS = ["window", "series", "latencies", "costs", "figures", "rows", "load", "stragglers"];

/** The newest events last, each once, at most 200. */
export function joined(known: Event[], fresh: Event[]): Event[] {
  const byNumber = new Map([...known, ...fresh].map((event) => [event.number, event]));
  return [...byNumber.values()].sort((a, b) => a.number - b.number).slice(-MOST_EVENTS);
}

export function useProgress(run: string, connected: boolean) {
  return useQuery({
    ...reads.progress(run),
    refetchInterval: connected ? FAR : NEAR,
  });
}

/** The newest events as the page opens. */
export const useBeginning = (run: string) => useQuery(reads.beginning(run));

/** Whether the line stands, and what has happened, from its beginning on. Events make what they change be read again. */
export function useStream(run: string, beginning: Event[]): { connected: boolean; events: Event[] } {
  const client = useQueryClient();
  const [connected, setConnected] = useState(false);
  const [fresh, setFresh] = useState<Event[]>([]);
  useEffect(() => {
    setFresh([]);
    let after = beginning[beginning.length - 1]?.number ?? 0;
    let stream: EventSource | undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    let waiting: Event[] = [];
    const read = (whats: string[]) => whats.forEach((what) => void client.invalidateQueries({ queryKey: keyOf(run, what) }));
    const take = paced(() => {
      const told = waiting;
      waiting = [];
      setFresh((known) => joined(known, told));
    }, AFTER_EVENT);
    const all = [take, paced(() => read(AT_ONCE), AFTER_EVENT, APART), paced(() => read(SUMS), SLOWLY)];
    const open = () => {
      const line = new EventSource(`/api/v1/runs/${encodeURIComponent(run)}/stream?after=${after}`);
      stream = line;
      line.onopen = () => setConnected(true);
      line.onerror = () => {
        setConnected(false);
        // A browser tries again by itself, but not after an answer such as a proxy's 502 for a server that is being restarted.
        if (line.readyState === EventSource.CLOSED) again = setTimeout(open, NEAR);
      };
      line.addEventListener("progress", (message: MessageEvent<string>) => {
        client.setQueryData(keyOf(run, "progress"), JSON.parse(message.data));
      });
      line.addEventListener("event", (message: MessageEvent<string>) => {
        const event = JSON.parse(message.data) as Event;
        after = Math.max(after, event.number);
        waiting.push(event);
        all.forEach((one) => one.ask());
      });
    };
    // After what is there is drawn: nothing waits for it, and it tells what has happened meanwhile.
    again = setTimeout(open, AFTER_DRAWING);
    return () => {
      clearTimeout(again);
      stream?.close();
      all.forEach((one) => one.drop());
    };
  }, [client, run, beginning]);
  const events = useMemo(() => joined(beginning, fresh), [beginning, fresh]);
  return { connected, events };
}

/** How often what no event tells is read again: not at all once the run is over. */
export const beat = (state: Shape<"RunState"> | undefined, every = NEAR): number | false =>
  state && LIVE.has(state) ? every : false;
