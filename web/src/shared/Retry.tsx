import { Alert, Button } from "@mui/material";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router-dom";
import { send } from "../api/client";
import { finished } from "../api/tasks";
import { Confirm, type Question } from "./Confirm";
import { Failure } from "./parts";

interface Asked {
  run: string;
  reason: string;
  keys: string[];
  done: () => void;
  /** There is nothing to try. */
  nobody?: boolean;
  /** Instead of how many were chosen. */
  word?: string | undefined;
}

/** Tries units again: those chosen, else all of the reason, else all. */
export function Retry({ run, reason, keys, done, word, nobody = false }: Asked) {
  const [question, setQuestion] = useState<Question | null>(null);
  const client = useQueryClient();
  const retry = useMutation({
    mutationFn: async () => {
      const body = keys.length ? { keys, all: false } : reason ? { reason, all: false } : { all: true };
      return finished(await send("post", "/api/v1/runs/{run}/retry", { run }, body));
    },
    onSuccess: done,
    onSettled: () => Promise.all([client.invalidateQueries({ queryKey: ["quarantine"] }), client.invalidateQueries({ queryKey: ["runs"] }), client.invalidateQueries({ queryKey: ["units"] })]),
  });
  const what = word ?? (keys.length ? `${keys.length} chosen` : reason ? "all of this reason" : "all");
  const says = "Quarantined units go back to pending and pass all steps again, with the job's files as they are now; what fails again is set aside again.";
  return (
    <>
      <Button variant="contained" disabled={retry.isPending || nobody} onClick={() => setQuestion({ title: `Try ${what} again?`, says, yes: "Try again", act: () => retry.mutate() })}>
        {retry.isPending ? "Trying…" : `Try ${what} again`}
      </Button>
      {retry.isSuccess && <Alert severity="success">They are tried again: <Link to={`/runs/${run}`}>see the run</Link></Alert>}
      {retry.error && <Failure error={retry.error} />}
      <Confirm question={question} close={() => setQuestion(null)} />
    </>
  );
}
