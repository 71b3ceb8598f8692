import { Alert, Button, Container, Divider, Paper, Stack, TextField, Typography } from "@mui/material";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation, useNavigate } from "react-router-dom";
import { get, rememberCsrf, send } from "../../api/client";
import { Failure } from "../../shared/parts";
import { doorTo, pageAfter, refusalOf } from "./refusals";

const ASKED = "ludb.page-asked-for";

/** Nothing is shown before somebody is known. The address stays: after the login the page that was asked for opens. */
export default function LoginPage() {
  const client = useQueryClient();
  const place = useLocation();
  const navigate = useNavigate();
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const methods = useQuery({ queryKey: ["session", "methods"], queryFn: () => get("/api/v1/session/methods"), staleTime: 60_000 });
  const page = pageAfter(place, sessionStorage.getItem(ASKED));
  const login = useMutation({
    mutationFn: () => send("post", "/api/v1/login", {}, { user, password }),
    onSuccess: (session) => {
      sessionStorage.removeItem(ASKED);
      if (place.pathname === "/login") void navigate(page, { replace: true });
      rememberCsrf(session.csrf);
      client.setQueryData(["session"], session);
    },
  });
  const refusal = refusalOf(place.pathname === "/login" ? place.search : "");
  const oidc = methods.data?.oidc;
  const leave = (door: string) => {
    sessionStorage.setItem(ASKED, page);
    window.location.assign(doorTo(door, page));
  };
  return (
    <Container component="main" maxWidth="xs" sx={{ pt: "12vh" }}>
      <Paper variant="outlined" sx={{ p: 3 }}>
        <Typography variant="h1" sx={{ mb: 2 }}>Log in to ludb</Typography>
        {refusal && !login.error && <Alert severity="warning" sx={{ mb: 2 }}>{refusal.says}<div>{refusal.todo}</div></Alert>}
        <form onSubmit={(event) => { event.preventDefault(); login.mutate(); }}>
          <Stack sx={{ gap: 2 }}>
            <TextField label="User" autoComplete="username" required autoFocus value={user} onChange={(event) => setUser(event.target.value)} />
            <TextField label="Password" type="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
            {login.error && <Failure error={login.error} />}
            <Button type="submit" variant="contained" size="large" disabled={login.isPending}>Log in</Button>
          </Stack>
        </form>
        {oidc && (
          <>
            <Divider sx={{ my: 2 }}>or</Divider>
            <Button fullWidth variant="outlined" size="large" onClick={() => leave(oidc.login)}>{oidc.label}</Button>
          </>
        )}
      </Paper>
    </Container>
  );
}
