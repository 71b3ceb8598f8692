import { Alert, Button, Stack } from "@mui/material";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router-dom";
import { get, send } from "../../api/client";
import { May } from "../../api/session";
import { moment } from "../../shared/format";

/** What needs a person now: what, since when, and whether somebody takes care. */
export function Alerts() {
  const client = useQueryClient();
  const alerts = useQuery({ queryKey: ["alerts"], queryFn: () => get("/api/v1/alerts", {}, { standing: true }), refetchInterval: 10_000 });
  const take = useMutation({
    mutationFn: (alert: number) => send("post", "/api/v1/alerts/{alert}/acknowledge", { alert: String(alert) }),
    onSettled: () => client.invalidateQueries({ queryKey: ["alerts"] }),
  });
  const standing = alerts.data?.items ?? [];
  if (standing.length === 0) return null;
  return (
    <Stack sx={{ gap: 1 }} component="section" aria-label="alerts">
      {standing.map((one) => (
        <Alert
          key={one.number}
          severity={one.severity === "critical" ? "error" : "warning"}
          action={!one.acknowledged_at && <May role="operator"><Button color="inherit" disabled={take.isPending} onClick={() => take.mutate(one.number)}>I take care</Button></May>}
        >
          {one.run ? <Link to={`/runs/${one.run}`}>{one.job || one.run}</Link> : one.job} {one.text} (since {moment(one.raised_at)}
          {one.acknowledged_by && `; ${one.acknowledged_by} takes care${one.note ? `: “${one.note}”` : ""}`})
        </Alert>
      ))}
    </Stack>
  );
}
