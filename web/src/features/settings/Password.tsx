import { Alert, Button, Stack, TextField } from "@mui/material";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { send } from "../../api/client";
import { Failure } from "../../shared/parts";

const EMPTY = { old: "", new: "", again: "" };

/** One's own password, changed. */
export function Password() {
  const [held, setHeld] = useState(EMPTY);
  const change = useMutation({
    mutationFn: () => send("put", "/api/v1/session/password", {}, { old: held.old, new: held.new }),
    onSuccess: () => setHeld(EMPTY),
  });
  const differ = held.again !== "" && held.again !== held.new;
  const field = (name: keyof typeof EMPTY, label: string, auto: string, more = {}) => (
    <TextField label={label} type="password" required autoComplete={auto} value={held[name]} onChange={(event) => setHeld({ ...held, [name]: event.target.value })} {...more} />
  );
  return (
    <form aria-label="change password" onSubmit={(event) => { event.preventDefault(); if (!differ) change.mutate(); }}>
      <Stack sx={{ gap: 1.5, mt: 2, maxWidth: 320 }}>
        {field("old", "Password now", "current-password")}
        {field("new", "New password", "new-password", { helperText: "At least 12 characters", slotProps: { htmlInput: { minLength: 12 } } })}
        {field("again", "New password again", "new-password", { error: differ, helperText: differ ? "It differs from the first" : " " })}
        {change.error && <Failure error={change.error} />}
        {change.isSuccess && <Alert severity="success">The new password is in force.</Alert>}
        <Button type="submit" variant="outlined" disabled={change.isPending || differ}>Change password</Button>
      </Stack>
    </form>
  );
}
