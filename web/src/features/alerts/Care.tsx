import { Button, Dialog, DialogActions, DialogContent, DialogContentText, DialogTitle, TextField } from "@mui/material";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { send } from "../../api/client";
import { Failure } from "../../shared/parts";
import type { Alert } from "./which";

/** Somebody takes care of an alert, and says what others should know of it. */
export function Care({ alert, close }: { alert: Alert; close: () => void }) {
  const client = useQueryClient();
  const [note, setNote] = useState(alert.note);
  const take = useMutation({
    mutationFn: () => send("post", "/api/v1/alerts/{alert}/acknowledge", { alert: String(alert.number) }, { note }),
    onSuccess: close,
    onSettled: () => client.invalidateQueries({ queryKey: ["alerts"] }),
  });
  const again = alert.acknowledged_by !== "";
  return (
    <Dialog open onClose={close} aria-labelledby="care-title" fullWidth maxWidth="sm">
      <form onSubmit={(event) => { event.preventDefault(); take.mutate(); }}>
        <DialogTitle id="care-title">{again ? "Your note" : "Take care of it?"}</DialogTitle>
        <DialogContent>
          <DialogContentText sx={{ mb: 2, overflowWrap: "anywhere" }}>{alert.text}</DialogContentText>
          {!again && <DialogContentText sx={{ mb: 2 }}>Your name stands at the alert from now on. It ends by itself when it is so no longer.</DialogContentText>}
          <TextField label="Note for the others" multiline minRows={2} fullWidth autoFocus placeholder="what you do, whom you wait for" value={note} onChange={(event) => setNote(event.target.value)} slotProps={{ htmlInput: { maxLength: 1000 }, inputLabel: { shrink: true } }} />
          {take.error && <Failure error={take.error} />}
        </DialogContent>
        <DialogActions>
          <Button onClick={close}>Cancel</Button>
          <Button type="submit" variant="contained" disabled={take.isPending || (again && !note.trim())}>{again ? "Save" : "I take care"}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
