import { Button, Stack } from "@mui/material";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { send, type Shape } from "../../api/client";
import { finished } from "../../api/tasks";
import { Confirm, type Question } from "../../shared/Confirm";
import { Failure } from "../../shared/parts";

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

/** One sentence: what happens to the chunks in flight. */
export const SAYS: Record<Action, string> = {
  pause: "The chunks in flight are finished first; then the workers leave, and the run waits until it is resumed.",
  resume: "Workers start again, and the run goes on where it was.",
  stop: "The chunks in flight are finished first; then the run ends. It can be resumed later.",
  "stop now": "Chunks in flight that are not decided are given back and will be done anew; decided ones are still committed. It can be resumed later.",
  abandon: "The run is given up for good: what has moved stays, what has not moved will not be moved by it.",
};
const word = (action: Action) => action.charAt(0).toUpperCase() + action.slice(1);

export function Actions({ run, state }: { run: string; state: State }) {
  const [question, setQuestion] = useState<Question | null>(null);
  const client = useQueryClient();
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
            variant={action === "resume" || action === "pause" ? "contained" : "outlined"}
            disabled={ask.isPending}
            onClick={() => {
              const act = () => ask.mutate(action);
              if (action === "resume") act();
              else setQuestion({ title: `${word(action)} ${run}?`, says: SAYS[action], yes: word(action), act });
            }}
            title={SAYS[action]}
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
