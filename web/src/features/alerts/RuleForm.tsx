import { Button, Checkbox, Dialog, DialogActions, DialogContent, DialogTitle, FormControlLabel, FormGroup, FormLabel, Stack, TextField, Typography } from "@mui/material";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { send, type Shape } from "../../api/client";
import { Choice } from "../../shared/Choice";
import { Failure } from "../../shared/parts";
import { changed, labelOf, limitText, toField } from "./limits";

interface Asked {
  rule: Shape<"RuleShape">;
  channels: Shape<"ChannelShape">[];
  close: () => void;
}

/** Severity, thresholds and who is told, of one rule. */
export function RuleForm({ rule, channels, close }: Asked) {
  const client = useQueryClient();
  const [severity, setSeverity] = useState(rule.severity);
  const [fields, setFields] = useState(Object.fromEntries(Object.entries(rule.limits).map(([name, value]) => [name, toField(name, value)])));
  const [told, setTold] = useState(rule.channels);
  const limits = changed(fields, rule.limits);
  const keep = useMutation({
    mutationFn: () => send("patch", "/api/v1/alert-rules/{name}", { name: rule.name }, { severity, limits: limits ?? {}, all_channels: told === null, ...(told === null ? {} : { channels: told }) }),
    onSuccess: close,
    onSettled: () => client.invalidateQueries({ queryKey: ["alert-rules"] }),
  });
  const others = (told ?? []).filter((id) => !channels.some((one) => one.id === id)).map((id) => ({ id, name: id === "environment" ? "$LUDB_ALERT_WEBHOOK" : id }));
  const toggle = (id: string) => setTold(told?.includes(id) ? told.filter((one) => one !== id) : [...(told ?? []), id]);
  return (
    <Dialog open onClose={close} aria-labelledby="rule-title" fullWidth maxWidth="sm">
      <form onSubmit={(event) => { event.preventDefault(); keep.mutate(); }}>
        <DialogTitle id="rule-title">Rule <code>{rule.name}</code></DialogTitle>
        <DialogContent>
          <Stack sx={{ gap: 2 }}>
            <Typography color="text.secondary">{rule.says}</Typography>
            <Choice label="Severity" value={severity} options={[["critical", "critical"], ["warning", "warning"]]} choose={(value) => setSeverity(value as typeof severity)} />
            {Object.entries(fields).map(([name, text]) => (
              <TextField
                key={name}
                label={labelOf(name)}
                value={text}
                required
                error={!Number.isFinite(Number(text)) || !text.trim()}
                helperText={`comes as ${limitText(name, rule.standard[name] ?? 0)}`}
                onChange={(event) => setFields({ ...fields, [name]: event.target.value })}
                slotProps={{ htmlInput: { inputMode: "decimal" } }}
              />
            ))}
            <FormGroup>
              <FormLabel component="legend">Tells</FormLabel>
              <FormControlLabel control={<Checkbox size="small" checked={told === null} onChange={() => setTold(told === null ? [] : null)} />} label="all channels" />
              {told !== null && [...channels, ...others].map((one) => <FormControlLabel key={one.id} sx={{ ml: 1 }} control={<Checkbox size="small" checked={told.includes(one.id)} onChange={() => toggle(one.id)} />} label={one.name} />)}
              {told !== null && told.length === 0 && <Typography color="text.secondary">Nobody is told; the alert still stands here.</Typography>}
            </FormGroup>
            {keep.error && <Failure error={keep.error} />}
          </Stack>
        </DialogContent>
        <DialogActions>
          <Button onClick={close}>Cancel</Button>
          <Button type="submit" variant="contained" disabled={keep.isPending || limits === null}>Save</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
