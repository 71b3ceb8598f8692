import { Box, Button } from "@mui/material";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, send, type Shape } from "../../api/client";
import { May, roleMay, useSession } from "../../api/session";
import { Confirm, type Question } from "../../shared/Confirm";
import { useFilters } from "../../shared/filters";
import { Grid, type Column } from "../../shared/Grid";
import { Failure, Panel, Sign, Told, When } from "../../shared/parts";
import { SEVERITY_LOOK } from "../../shared/states";
import { limitText, thresholdText } from "./limits";
import { RuleForm } from "./RuleForm";

type Rule = Shape<"RuleShape">;

/** By which rules alerts are raised, as they are set; an editor changes them. */
export function Rules() {
  const { role } = useSession();
  const [asked] = useFilters(["rule"] as const);
  const client = useQueryClient();
  const [form, setForm] = useState<Rule | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  const rules = useQuery({ queryKey: ["alert-rules"], queryFn: () => get("/api/v1/alert-rules") });
  const channels = useQuery({ queryKey: ["alert-channels"], queryFn: () => get("/api/v1/alert-channels"), enabled: roleMay(role, "editor") });
  const onSettled = () => client.invalidateQueries({ queryKey: ["alert-rules"] });
  const change = useMutation({ mutationFn: ({ name, to }: { name: string; to: Shape<"RuleChange"> }) => send("patch", "/api/v1/alert-rules/{name}", { name }, to), onSettled });
  const reset = useMutation({ mutationFn: (name: string) => send("delete", "/api/v1/alert-rules/{name}", { name }), onSettled });
  const known = channels.data ?? [];
  const failed = change.error ?? reset.error;
  return (
    <Panel title="When an alert is raised" aside={<span>a change is in force at the next look, within 10 seconds</span>}>
      {failed && <Failure error={failed} />}
      <Told query={rules} lines={14}>
        {(found) => (
          <Grid
            label="rules"
            rows={found}
            keyOf={(one) => one.name}
            chosen={(one) => one.name === asked.rule}
            columns={columns(known, {
              edit: setForm,
              toggle: (one) => change.mutate({ name: one.name, to: { enabled: !one.enabled, all_channels: false } }),
              reset: (one) => setQuestion({ title: `Reset ${one.name}?`, says: "Severity, thresholds and channels are again as they come; alerts that stand stay until the next look.", yes: "Reset", act: () => reset.mutate(one.name) }),
            })}
          />
        )}
      </Told>
      {form && <RuleForm rule={form} channels={known} close={() => setForm(null)} />}
      <Confirm question={question} close={() => setQuestion(null)} />
    </Panel>
  );
}

interface Acts {
  edit: (one: Rule) => void;
  toggle: (one: Rule) => void;
  reset: (one: Rule) => void;
}

function columns(channels: Shape<"ChannelShape">[], act: Acts): Column<Rule>[] {
  const named = (id: string) => channels.find((one) => one.id === id)?.name ?? (id === "environment" ? "$LUDB_ALERT_WEBHOOK" : id);
  return [
    { name: "rule", mono: true, tight: true, cell: (one) => one.name },
    { name: "says", wide: 200, cell: (one) => one.says },
    { name: "severity", tight: true, cell: (one) => (one.enabled ? <Sign look={SEVERITY_LOOK[one.severity]} /> : <Box component="span" sx={{ color: "text.secondary" }}>○ off</Box>) },
    { name: "thresholds", tight: true, cell: (one) => (Object.keys(one.limits).length === 0 ? "–" : Object.entries(one.limits).map(([name, value]) => {
        const standard = one.standard[name] ?? 0;
        return value === standard ? <div key={name}>{thresholdText(name, value)}</div> : <div key={name}><b title={`comes as ${limitText(name, standard)}`}>{thresholdText(name, value)}</b></div>;
      })) },
    { name: "tells", wide: 100, cell: (one) => (one.channels === null ? "all channels" : one.channels.length ? one.channels.map(named).join(", ") : "nobody") },
    { name: "changed", tight: true, cell: (one) => (one.changed_at ? <><When at={one.changed_at} /> by {one.changed_by}</> : "as it comes") },
    {
      name: "change",
      tight: true,
      cell: (one) => (
        <May role="editor" otherwise="–">
          <Button onClick={() => act.edit(one)} aria-label={`edit ${one.name}`}>Edit</Button>
          <Button onClick={() => act.toggle(one)} aria-label={`${one.enabled ? "switch off" : "switch on"} ${one.name}`}>{one.enabled ? "Switch off" : "Switch on"}</Button>
          {one.changed_at && <Button onClick={() => act.reset(one)} aria-label={`reset ${one.name}`}>Reset</Button>}
        </May>
      ),
    },
  ];
}
