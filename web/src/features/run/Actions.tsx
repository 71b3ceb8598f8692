import { Button, Stack } from "@mui/material";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { send, type Shape } from "../../api/client";
import { finished } from "../../api/tasks";
import { Confirm, type Question } from "../../shared/Confirm";
import { Failure } from "../../shared/parts";
import { beat } from "./live";
import { flightText } from "./trouble";
import { reads } from "./reads";

type State = Shape<"RunState">;
export type Action = "pause" | "resume" | "stop" | "stop now" | "abandon";

/** What can be asked of a run in this state. */
export function actionsOf(state: State): Action[] {
  if (state === "running") return ["pause", "stop", "stop now"];
  if (state === "paused") return ["resume", "stop", "stop now"];
  if (state === "stopping") return ["stop now"];
  if (state === "stopped" || state === "failed") return ["resume", "abandon"];
  return state === "completed_with_exceptions" || state === "planned" ? ["resume"] : [];
}

/** One sentence: what happens to the chunks in flight, of which there are so many. */
export function says(action: Action, chunks: number): string {
  if (action === "pause") return `${flightText(chunks, ", to be finished first")} Then the workers leave, and the run waits until it is resumed.`;
  if (action === "stop") return `${flightText(chunks, ", to be finished first")} Then the run ends. It can be resumed later.`;
  if (action === "stop now") return `${flightText(chunks, ": what is not decided is given back and will be done anew; what is decided is still committed")} It can be resumed later.`;
  if (action === "abandon") return "The run is given up for good: what has moved stays, what has not moved will not be moved by it.";
  return "Workers start again, and the run goes on where it was.";
}
const word = (action: Action) => action.charAt(0).toUpperCase() + action.slice(1);

export function Actions({ run, state }: { run: string; state: State }) {
  const [question, setQuestion] = useState<Question | null>(null);
  const client = useQueryClient();
  const workers = useQuery({ ...reads.workers(run), refetchInterval: beat(state) });
  const chunks = (workers.data ?? []).filter((one) => one.chunk != null).length;
  const ask = useMutation({
    mutationFn: async (action: Action) => {
      if (action === "pause") return send("post", "/api/v1/runs/{run}/pause", { run });
      if (action === "abandon") return finished(await send("post", "/api/v1/runs/{run}/abandon", { run }));
      if (action === "resume") {
        const told = await send("post", "/api/v1/runs/{run}/resume", { run });
        return "id" in told ? finished(told) : told;
      }
      return send("post", "/api/v1/runs/{run}/stop", { run }, { now: action === "stop now" });
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["runs", run] }),
  });
  return (
    <Stack sx={{ gap: 1 }}>
      <Stack direction="row" sx={{ gap: 1, flexWrap: "wrap" }}>
        {actionsOf(state).map((action) => (
          <Button
            key={action}
            variant={(action === "resume" && state !== "completed_with_exceptions") || action === "pause" ? "contained" : "outlined"}
            disabled={ask.isPending}
            onClick={() => {
              const act = () => ask.mutate(action);
              if (action === "resume") act();
              else setQuestion({ title: `${word(action)} ${run}?`, says: says(action, chunks), yes: word(action), act });
            }}
            title={says(action, chunks)}
          >
            {word(action)}
          </Button>
        ))}
      </Stack>
      {ask.error && <Failure error={ask.error} />}
      <Confirm question={question} close={() => setQuestion(null)} />
    </Stack>
  );
}
