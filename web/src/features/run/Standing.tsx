import { Box } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router-dom";
import { get } from "../../api/client";
import { count } from "../../shared/format";
import { SEVERITY_LOOK } from "../../shared/states";

/** How many alerts of this run stand, the gravest's look, and whether somebody takes care of each; nothing where there is none. */
export function Standing({ run }: { run: string }) {
  const alerts = useQuery({ queryKey: ["alerts", "standing"], queryFn: () => get("/api/v1/alerts", {}, { standing: true, limit: 500 }), refetchInterval: 10_000 });
  const mine = (alerts.data?.items ?? []).filter((one) => one.run === run);
  if (mine.length === 0) return null;
  const look = SEVERITY_LOOK[mine.some((one) => one.severity === "critical") ? "critical" : "warning"];
  const open = mine.filter((one) => one.acknowledged_at === null).length;
  return (
    <Box component="span" title={mine.map((one) => one.text).join("\n")}>
      <Box component="b" aria-hidden="true" sx={{ color: look.colour }}>{look.sign} </Box>
      <Link to={`/alerts?${new URLSearchParams({ run }).toString()}`}>{count(mine.length)} {mine.length === 1 ? "alert" : "alerts"}</Link>
      {open > 0 ? ", nobody takes care" + (open < mine.length ? ` of ${open}` : "") : ", taken care of"}
    </Box>
  );
}
