/** What charts draw of a run: its samples, what systems cost by time, who changed what. */
import { useQuery } from "@tanstack/react-query";
import type { Shape } from "../../api/client";
import { beat } from "./live";
import { reads } from "./reads";

export function useTimes(run: string, state: Shape<"RunState">) {
  const series = useQuery({ ...reads.series(run), refetchInterval: beat(state) });
  const costs = useQuery({ ...reads.latencies(run), refetchInterval: beat(state, 5_000) });
  const commands = useQuery(reads.commands(run));
  return { series, costs, commands };
}
