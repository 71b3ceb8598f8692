import { Button, Container, Paper, Stack, TextField, Typography } from "@mui/material";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { rememberCsrf, send } from "../../api/client";
import { Failure } from "../../shared/parts";

/** Nothing is shown before somebody is known. The address stays: after the login the page that was asked for opens. */
export default function LoginPage() {
  const client = useQueryClient();
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const login = useMutation({
    mutationFn: () => send("post", "/api/v1/login", {}, { user, password }),
    onSuccess: (session) => {
      rememberCsrf(session.csrf);
      client.setQueryData(["session"], session);
    },
  });
  return (
    <Container component="main" maxWidth="xs" sx={{ pt: "12vh" }}>
      <Paper variant="outlined" sx={{ p: 3 }}>
        <Typography variant="h1" sx={{ mb: 2 }}>Log in to ludb</Typography>
        <form onSubmit={(event) => { event.preventDefault(); login.mutate(); }}>
          <Stack sx={{ gap: 2 }}>
            <TextField label="User" autoComplete="username" required autoFocus value={user} onChange={(event) => setUser(event.target.value)} />
            <TextField label="Password" type="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
            {login.error && <Failure error={login.error} />}
            <Button type="submit" variant="contained" size="large" disabled={login.isPending}>Log in</Button>
          </Stack>
        </form>
      </Paper>
    </Container>
  );
}
