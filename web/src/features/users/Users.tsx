import { Button, Checkbox, FormControlLabel, Stack, TextField } from "@mui/material";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, send, type Shape } from "../../api/client";
import { useSession, type Role } from "../../api/session";
import { Choice } from "../../shared/Choice";
import { Confirm, type Question } from "../../shared/Confirm";
import { Grid, type Column } from "../../shared/Grid";
import { Failure, Panel, Told, When } from "../../shared/parts";
import { ROLES } from "./roles";
import { Secret } from "../../shared/Secret";

type User = Shape<"UserShape">;

/** Users: made, given a role and the right to values, switched off, given a new password, removed. */
export function Users() {
  const { user: me } = useSession();
  const client = useQueryClient();
  const [question, setQuestion] = useState<Question | null>(null);
  const [shown, setShown] = useState<Shape<"NewUserShape"> | null>(null);
  const users = useQuery({ queryKey: ["users"], queryFn: () => get("/api/v1/users") });
  const onSettled = () => client.invalidateQueries({ queryKey: ["users"] });
  const change = useMutation({ mutationFn: ({ name, to }: { name: string; to: Shape<"UserChange"> }) => send("patch", "/api/v1/users/{name}", { name }, to), onSettled });
  const reset = useMutation({ mutationFn: (name: string) => send("post", "/api/v1/users/{name}/password", { name }), onSuccess: setShown, onSettled });
  const remove = useMutation({ mutationFn: (name: string) => send("delete", "/api/v1/users/{name}", { name }), onSettled });
  const failed = change.error ?? reset.error ?? remove.error;
  const ask = (user: User, what: "disable" | "reset" | "remove") => {
    const { name } = user;
    if (what === "disable") setQuestion({ title: `Disable ${name}?`, says: "Their sessions end at once and their tokens stop working; runs that they started go on. It can be undone.", yes: "Disable", act: () => change.mutate({ name, to: { active: false } }) });
    if (what === "reset") setQuestion({ title: `New password for ${name}?`, says: "All their sessions end at once; the one-time password that is shown then opens nothing but its own change.", yes: "Reset", act: () => reset.mutate(name) });
    if (what === "remove") setQuestion({ title: `Remove ${name}?`, says: "The user goes for good, with sessions and tokens; what they did stays in the audit.", yes: "Remove", act: () => remove.mutate(name) });
  };
  return (
    <Panel title="Users">
      {failed && <Failure error={failed} />}
      {shown && <Secret what={`One-time password of ${shown.name}`} secret={shown.one_time_password} close={() => setShown(null)} />}
      <Told query={users} lines={4}>
        {(found) => <Grid label="users" columns={columns(me, (name, to) => change.mutate({ name, to }), ask)} rows={found} keyOf={(one) => one.name} />}
      </Told>
      <NewUser made={setShown} />
      <Confirm question={question} close={() => setQuestion(null)} />
    </Panel>
  );
}

function columns(me: string, change: (name: string, to: Shape<"UserChange">) => void, ask: (user: User, what: "disable" | "reset" | "remove") => void): Column<User>[] {
  return [
    { name: "name", tight: true, cell: (one) => <><b>{one.name}</b>{one.name === me && " (you)"}</> },
    { name: "role", cell: (one) => <Choice bare label={`role of ${one.name}`} value={one.role} options={ROLES.map((role) => [role, role] as const)} choose={(role) => change(one.name, { role: role as Role })} disabled={one.name === me} /> },
    { name: "sees values", cell: (one) => <Checkbox size="small" sx={{ p: 0.25 }} checked={one.personal} onChange={() => change(one.name, { personal: !one.personal })} slotProps={{ input: { "aria-label": `${one.name} sees values` } }} /> },
    { name: "may log in", tight: true, cell: (one) => (one.active ? one.must_change ? "yes, with the one-time password" : "yes" : "no") },
    { name: "made", tight: true, cell: (one) => <><When at={one.created_at} />{one.created_by && ` by ${one.created_by}`}</> },
    {
      name: "change",
      tight: true,
      cell: (one) => (
        <Stack direction="row" sx={{ gap: 0.5 }}>
          <Button onClick={() => ask(one, "reset")} aria-label={`Reset password of ${one.name}`}>Reset password</Button>
          {one.name !== me && (one.active
            ? <Button onClick={() => ask(one, "disable")} aria-label={`disable ${one.name}`}>Disable</Button>
            : <Button onClick={() => change(one.name, { active: true })} aria-label={`enable ${one.name}`}>Enable</Button>)}
          {one.name !== me && <Button color="error" onClick={() => ask(one, "remove")} aria-label={`remove ${one.name}`}>Remove</Button>}
        </Stack>
      ),
    },
  ];
}

function NewUser({ made }: { made: (user: Shape<"NewUserShape">) => void }) {
  const client = useQueryClient();
  const empty = { name: "", role: "viewer" as Role, personal: false };
  const [wanted, setWanted] = useState(empty);
  const add = useMutation({
    mutationFn: () => send("post", "/api/v1/users", {}, wanted),
    onSuccess: (user) => { made(user); setWanted(empty); },
    onSettled: () => client.invalidateQueries({ queryKey: ["users"] }),
  });
  return (
    <form onSubmit={(event) => { event.preventDefault(); add.mutate(); }} aria-label="new user">
      <Stack direction="row" sx={{ gap: 1, mt: 2, flexWrap: "wrap", alignItems: "center" }}>
        <TextField label="New user" required value={wanted.name} onChange={(event) => setWanted({ ...wanted, name: event.target.value })} slotProps={{ htmlInput: { pattern: "[A-Za-z0-9][A-Za-z0-9._@\\-]{0,99}", title: "Letters, digits and . _ @ -", autoComplete: "off" } }} />
        <Choice label="Role" value={wanted.role} options={ROLES.map((role) => [role, role] as const)} choose={(role) => setWanted({ ...wanted, role: role as Role })} />
        <FormControlLabel control={<Checkbox checked={wanted.personal} onChange={(event) => setWanted({ ...wanted, personal: event.target.checked })} />} label="sees values (personal data)" />
        <Button type="submit" variant="contained" disabled={add.isPending}>Add user</Button>
      </Stack>
      {add.error && <Failure error={add.error} />}
    </form>
  );
}
