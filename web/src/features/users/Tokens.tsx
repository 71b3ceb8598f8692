import { Box, Button, Checkbox, FormControlLabel, Stack, TextField } from "@mui/material";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, send, type Shape } from "../../api/client";
import { useSession, type Role } from "../../api/session";
import { Choice } from "../../shared/Choice";
import { Confirm, type Question } from "../../shared/Confirm";
import { Grid, type Column } from "../../shared/Grid";
import { Empty, Failure, Panel, Told, When } from "../../shared/parts";
import { ROLES, standingOf } from "./roles";
import { Secret } from "../../shared/Secret";

/** API tokens: for programs, each for somebody, with at most a role, until a day. */
export function Tokens() {
  const client = useQueryClient();
  const [question, setQuestion] = useState<Question | null>(null);
  const [shown, setShown] = useState<Shape<"NewTokenShape"> | null>(null);
  const tokens = useQuery({ queryKey: ["tokens"], queryFn: () => get("/api/v1/tokens") });
  const revoke = useMutation({
    mutationFn: (token: string) => send("delete", "/api/v1/tokens/{token}", { token }),
    onSettled: () => client.invalidateQueries({ queryKey: ["tokens"] }),
  });
  const ask = (token: Shape<"TokenShape">) =>
    setQuestion({ title: `Revoke ${token.name}?`, says: "Programs that send it are refused from now on; it cannot be undone.", yes: "Revoke", act: () => revoke.mutate(token.id) });
  return (
    <Panel title="API tokens">
      {revoke.error && <Failure error={revoke.error} />}
      {shown && <Secret what={`Token ${shown.name}`} secret={shown.secret} close={() => setShown(null)} />}
      <Told query={tokens}>
        {(found) => found.length === 0
          ? <Empty>No tokens yet: programs (a scheduler, Prometheus) send one as <code>Authorization: Bearer</code>.</Empty>
          : <Grid label="tokens" columns={columns(ask)} rows={found} keyOf={(one) => one.id} />}
      </Told>
      <NewToken made={setShown} />
      <Confirm question={question} close={() => setQuestion(null)} />
    </Panel>
  );
}

function columns(ask: (token: Shape<"TokenShape">) => void): Column<Shape<"TokenShape">>[] {
  const now = Date.now() / 1000;
  return [
    { name: "name", cell: (one) => <b>{one.name}</b> },
    { name: "acts for", cell: (one) => one.user },
    { name: "at most", cell: (one) => `${one.role}${one.personal ? ", sees values" : ""}` },
    { name: "state", cell: (one) => <Box component="span" sx={{ color: standingOf(one, now) === "works" ? "var(--s-done)" : "text.secondary", fontWeight: 600 }}>{standingOf(one, now) === "works" ? "✓ works" : `∅ ${standingOf(one, now)}`}</Box> },
    { name: "until", tight: true, cell: (one) => <When at={one.revoked_at ?? one.expires_at} /> },
    { name: "last used", tight: true, cell: (one) => (one.used_at ? <When at={one.used_at} /> : "never") },
    { name: "made by", cell: (one) => one.created_by },
    { name: "change", cell: (one) => standingOf(one, now) === "works" && <Button color="error" onClick={() => ask(one)} aria-label={`revoke ${one.name}`}>Revoke</Button> },
  ];
}

function NewToken({ made }: { made: (token: Shape<"NewTokenShape">) => void }) {
  const { user: me } = useSession();
  const client = useQueryClient();
  const users = useQuery({ queryKey: ["users"], queryFn: () => get("/api/v1/users") });
  const empty = { name: "", user: me, role: "viewer" as Role, personal: false, days: "90" };
  const [wanted, setWanted] = useState(empty);
  const add = useMutation({
    mutationFn: () => send("post", "/api/v1/tokens", {}, { ...wanted, days: Number(wanted.days) }),
    onSuccess: (token) => { made(token); setWanted(empty); },
    onSettled: () => client.invalidateQueries({ queryKey: ["tokens"] }),
  });
  const set = (change: Partial<typeof empty>) => setWanted({ ...wanted, ...change });
  return (
    <form onSubmit={(event) => { event.preventDefault(); add.mutate(); }} aria-label="new token">
      <Stack direction="row" sx={{ gap: 1, mt: 2, flexWrap: "wrap", alignItems: "center" }}>
        <TextField label="New token" required placeholder="airflow" value={wanted.name} onChange={(event) => set({ name: event.target.value })} />
        <Choice label="Acts for" value={wanted.user} options={(users.data ?? [{ name: me }]).map((one) => [one.name, one.name] as const)} choose={(user) => set({ user })} />
        <Choice label="At most" value={wanted.role} options={ROLES.map((role) => [role, role] as const)} choose={(role) => set({ role: role as Role })} />
        <TextField label="Days" type="number" required value={wanted.days} onChange={(event) => set({ days: event.target.value })} slotProps={{ htmlInput: { min: 0.01, max: 3660, step: "any" } }} sx={{ width: 90 }} />
        <FormControlLabel control={<Checkbox checked={wanted.personal} onChange={(event) => set({ personal: event.target.checked })} />} label="sees values" />
        <Button type="submit" variant="contained" disabled={add.isPending}>Make token</Button>
      </Stack>
      {add.error && <Failure error={add.error} />}
    </form>
  );
}
