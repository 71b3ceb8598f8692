import { Alert, Button, FormControl, FormControlLabel, FormLabel, Radio, RadioGroup, Stack, TextField, Typography } from "@mui/material";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router-dom";
import { send, type Shape } from "../../api/client";
import { May } from "../../api/session";
import { Failure } from "../../shared/parts";
import { askedOf, mistakeOf, NOTHING, type Word } from "./word";

/** What came of it: it stays when the call has left the list of those in doubt. */
export function Resolved({ told, close }: { told: Shape<"ResolvedShape">; close: () => void }) {
  const { run, state, unit, pending } = told;
  return (
    <Alert severity="success" onClose={close}>
      The call <code>{told.call}</code> of unit <code>{unit}</code> is {state}, by your word.{" "}
      {pending ? <>The unit is pending again: resume <Link to={`/runs/${encodeURIComponent(run)}`}>its run</Link>, and it is moved.</> : "The unit has other calls in doubt."}
    </Alert>
  );
}

/** For a call in doubt: what somebody saw at the system, with their reason; it stands in the audit in their name. */
export function Resolve({ call, resolved }: { call: Shape<"CallOfRunShape">; resolved: (told: Shape<"ResolvedShape">) => void }) {
  const client = useQueryClient();
  const [held, setHeld] = useState<Word>(NOTHING);
  const set = (change: Partial<Word>) => setHeld({ ...held, ...change });
  const resolve = useMutation({
    mutationFn: () => send("post", "/api/v1/runs/{run}/calls/{call}/resolve", { run: call.run, call: call.id }, askedOf(held)),
    onSuccess: resolved,
    onSettled: () => Promise.all(["calls", "units", "runs"].map((name) => client.invalidateQueries({ queryKey: [name] }))),
  });
  if (call.state !== "in_doubt") return null;
  const mistake = mistakeOf(held);
  return (
    <May role="operator" otherwise={<Typography color="text.secondary">Somebody with the role operator can say what became of it.</Typography>}>
      <form aria-label="resolve" onSubmit={(event) => { event.preventDefault(); resolve.mutate(); }}>
        <Stack sx={{ gap: 1.5, maxWidth: 640 }}>
          <FormControl>
            <FormLabel id="resolve-word">Nobody but you can tell. Look at {call.system}: is what this call asked for there?</FormLabel>
            <RadioGroup row aria-labelledby="resolve-word" value={held.word} onChange={(event) => set({ word: event.target.value as Word["word"] })}>
              <FormControlLabel value="done" control={<Radio required />} label="It is there (done)" />
              <FormControlLabel value="absent" control={<Radio required />} label="It is not there (absent)" />
            </RadioGroup>
          </FormControl>
          {held.word === "done" && (
            <>
              <TextField label="Its name there (id)" value={held.id} onChange={(event) => set({ id: event.target.value })} helperText="What the API calls the object; needed if it may have to be undone" slotProps={{ htmlInput: { className: "mono", maxLength: 1000 } }} />
              <TextField label="What else it returned" multiline minRows={2} value={held.more} onChange={(event) => set({ more: event.target.value })} error={mistake !== ""} helperText={mistake || "name=value, one on each line; only what the output’s returns: names"} slotProps={{ htmlInput: { className: "mono" } }} />
            </>
          )}
          <TextField label="How you know" required multiline value={held.reason} onChange={(event) => set({ reason: event.target.value })} slotProps={{ htmlInput: { maxLength: 2000 } }} />
          {held.word !== "" && <Typography color="text.secondary">{held.word === "done" ? "It is taken as made and never sent again." : "It may be sent again when the unit is moved: if the object is there after all, there will be two."}</Typography>}
          {resolve.error && <Failure error={resolve.error} />}
          <Button type="submit" variant="contained" sx={{ alignSelf: "start" }} disabled={resolve.isPending || held.word === "" || held.reason.trim() === "" || mistake !== ""}>{resolve.isPending ? "Resolving…" : "Resolve"}</Button>
        </Stack>
      </form>
    </May>
  );
}
