import { Button, Container, Paper, Stack, TextField, Typography } from "@mui/material";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { send } from "../../api/client";
import { Failure } from "../../shared/parts";

/** A one-time password opens nothing but its own change. */
export default function NewPassword() {
  const client = useQueryClient();
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const change = useMutation({
    mutationFn: () => send("put", "/api/v1/session/password", {}, { old, new: fresh }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["session"] }),
  });
  return (
    <Container component="main" maxWidth="xs" sx={{ pt: "12vh" }}>
      <Paper variant="outlined" sx={{ p: 3 }}>
        <Typography variant="h1" sx={{ mb: 1 }}>Choose a password</Typography>
        <Typography sx={{ mb: 2 }}>The one that you logged in with works once.</Typography>
        <form onSubmit={(event) => { event.preventDefault(); change.mutate(); }}>
          <Stack sx={{ gap: 2 }}>
            <TextField label="One-time password" type="password" autoComplete="current-password" required value={old} onChange={(event) => setOld(event.target.value)} />
            <TextField label="New password" type="password" autoComplete="new-password" required helperText="At least 12 characters" value={fresh} onChange={(event) => setFresh(event.target.value)} />
            {change.error && <Failure error={change.error} />}
            <Button type="submit" variant="contained" size="large" disabled={change.isPending}>Save</Button>
          </Stack>
        </form>
      </Paper>
    </Container>
  );
}
