import { Box, Stack } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router-dom";
import { get } from "../../api/client";
import { moment } from "../../shared/format";
import { Panel, Sign } from "../../shared/parts";

const LOOK: Record<string, { word: string; sign: string; colour: string }> = {
  ok: { word: "", sign: "✓", colour: "var(--s-done)" },
  away: { word: "away", sign: "✕", colour: "var(--s-failed)" },
};
const UNUSED = { word: "not used yet", sign: "…", colour: "var(--s-pending)" };

/** Every system in one line, those that are away first; each leads to its lines. */
export function Systems() {
  const systems = useQuery({ queryKey: ["systems", "health"], queryFn: () => get("/api/v1/systems/health"), refetchInterval: 10_000 });
  const found = [...(systems.data ?? [])].sort((a, b) => Number(b.state === "away") - Number(a.state === "away") || a.job.localeCompare(b.job));
  if (found.length === 0) return null;
  const jobs = new Set(found.map((one) => one.job)).size;
  return (
    <Panel title={<Link to="/systems">Systems</Link>}>
      <Stack direction="row" component="ul" aria-label="systems" sx={{ flexWrap: "wrap", columnGap: 3, rowGap: 0.5, m: 0, p: 0, listStyle: "none" }}>
        {found.map((one) => (
          <Box component="li" key={`${one.job}/${one.name}`} title={one.error || one.type}>
            <Sign look={LOOK[one.state] ?? UNUSED} /> <Link to={`/systems?${new URLSearchParams({ system: `${one.job}/${one.name}` }).toString()}`}>{one.name}</Link>
            {jobs > 1 && ` of ${one.job}`}{one.since != null && ` since ${moment(one.since)}`}
          </Box>
        ))}
      </Stack>
    </Panel>
  );
}
