/** What charts draw of a run: its samples, what systems cost by time, who changed what. */
import { useQuery } from "@tanstack/react-query";
import { get, type Shape } from "../../api/client";
import { latencies } from "./costs";
import { beat, keyOf } from "./live";

export function useTimes(run: string, state: Shape<"RunState">) {
  const series = useQuery({ queryKey: keyOf(run, "series"), queryFn: () => get("/api/v1/runs/{run}/series", { run }), refetchInterval: beat(state) });
  const costs = useQuery({ queryKey: keyOf(run, "latencies"), queryFn: async () => latencies(await get("/api/v1/runs/{run}/figures/series", { run })), refetchInterval: beat(state, 5_000) });
  const commands = useQuery({ queryKey: keyOf(run, "commands"), queryFn: () => get("/api/v1/runs/{run}/commands", { run }) });
  return { series, costs, commands };
}
