import { Button, Dialog, DialogActions, DialogContent, DialogTitle, Stack, TextField } from "@mui/material";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { send } from "../../api/client";
import { Choice } from "../../shared/Choice";
import { Failure } from "../../shared/parts";
import { asked, EMPTY, NAME, wantedOf, type Channel, type Wanted } from "./channel";

const SECURITY = [["starttls", "STARTTLS"], ["tls", "TLS"], ["none", "none: without a password"]] as const;

/** A webhook or a mail. Secrets are never typed in: a channel names variables of the server. */
export function ChannelForm({ channel, close }: { channel: Channel | null; close: () => void }) {
  const client = useQueryClient();
  const [wanted, setWanted] = useState<Wanted>(channel ? wantedOf(channel) : EMPTY);
  const set = (change: Partial<Wanted>) => setWanted({ ...wanted, ...change });
  const keep = useMutation({
    mutationFn: () => (channel ? send("put", "/api/v1/alert-channels/{channel}", { channel: channel.id }, asked(wanted)) : send("post", "/api/v1/alert-channels", {}, asked(wanted))),
    onSuccess: close,
    onSettled: () => client.invalidateQueries({ queryKey: ["alert-channels"] }),
  });
  const field = (name: "name" | "url" | "secret" | "host" | "port" | "sender" | "to" | "user" | "password", label: string, more: { help?: ReactNode; example?: string; required?: boolean; pattern?: string; first?: boolean } = {}) => (
    <TextField
      label={label}
      value={wanted[name]}
      required={more.required ?? false}
      placeholder={more.example}
      helperText={more.help}
      autoFocus={more.first ?? false}
      onChange={(event) => set({ [name]: event.target.value })}
      slotProps={{ inputLabel: { shrink: true }, htmlInput: { autoComplete: "off", ...(more.pattern ? { pattern: more.pattern, title: "The name of a variable: ${LUDB_ALERT_…}", className: "mono" } : {}) } }}
    />
  );
  const secret = { pattern: NAME, example: "${LUDB_ALERT_SECRET}" };
  return (
    <Dialog open onClose={close} aria-labelledby="channel-title" fullWidth maxWidth="sm">
      <form onSubmit={(event) => { event.preventDefault(); keep.mutate(); }}>
        <DialogTitle id="channel-title">{channel ? `Change ${channel.name}` : "New channel"}</DialogTitle>
        <DialogContent>
          <Stack sx={{ gap: 2, pt: 1 }}>
            {field("name", "Name", { required: true, first: true, example: "night shift" })}
            <Stack direction="row" sx={{ gap: 2, flexWrap: "wrap" }}>
              <Choice label="Kind" value={wanted.kind} options={[["webhook", "webhook"], ["smtp", "mail (SMTP)"]]} choose={(kind) => set({ kind: kind as Wanted["kind"] })} />
              <Choice label="From" value={wanted.least} options={[["warning", "warnings on"], ["critical", "critical alone"]]} choose={(least) => set({ least: least as Wanted["least"] })} />
            </Stack>
            {wanted.kind === "webhook" ? (
              <>
                {field("url", "Address", { required: true, example: "${LUDB_ALERT_URL}", help: "Each alert is posted there as a JSON document. An address that is itself a secret is named, not written." })}
                {field("secret", "Secret that signs it", { ...secret, help: "The name of a variable of the server, or nothing: then it is not signed" })}
              </>
            ) : (
              <>
                <Stack direction="row" sx={{ gap: 2, flexWrap: "wrap", "& > :first-of-type": { flex: 1 } }}>
                  {field("host", "Mail server", { required: true, example: "mail.example.org" })}
                  {field("port", "Port", { required: true })}
                  <Choice label="Encryption" value={wanted.security} options={SECURITY} choose={(security) => set({ security: security as Wanted["security"] })} />
                </Stack>
                {field("sender", "Sender", { required: true, example: "ludb@example.org" })}
                {field("to", "To", { required: true, example: "night-shift@example.org", help: "Several with commas between them" })}
                {field("user", "User")}
                {field("password", "Password", { ...secret, help: "The name of a variable of the server, or nothing" })}
              </>
            )}
            {keep.error && <Failure error={keep.error} />}
          </Stack>
        </DialogContent>
        <DialogActions>
          <Button onClick={close}>Cancel</Button>
          <Button type="submit" variant="contained" disabled={keep.isPending}>{channel ? "Save" : "Add"}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
