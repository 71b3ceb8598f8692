import { Box, Stack } from "@mui/material";
import { Link } from "react-router-dom";
import { count, percent } from "./format";
import { settledOf, shares, UNIT_LOOK, type Counters, type UnitState } from "./states";

/** The bar of truth: one part for each state, and they add up to the total. */
export function StateBar({ counters, height = 14 }: { counters: Counters; height?: number | string }) {
  const settled = settledOf(counters);
  return (
    <Box
      role="progressbar"
      aria-label="units settled"
      aria-valuemin={0}
      aria-valuemax={counters.total}
      aria-valuenow={settled}
      aria-valuetext={`${percent(settled, counters.total)} of ${count(counters.total)} units`}
      sx={{ display: "flex", height, borderRadius: 1, overflow: "hidden", bgcolor: "var(--bar-rest)" }}
    >
      {shares(counters).filter((part) => part.state !== "pending" && part.units > 0).map((part) => (
        <Box
          key={part.state}
          title={`${count(part.units)} ${UNIT_LOOK[part.state].word}`}
          style={{ flex: `0 0 ${part.share * 100}%` }}
          sx={{ minWidth: 3, bgcolor: UNIT_LOOK[part.state].colour, transition: "flex-basis 200ms" }}
        />
      ))}
    </Box>
  );
}

/** The numbers of the bar; each that has rows behind it leads to them. */
export function StateCounts({ counters, linkOf }: { counters: Counters; linkOf?: (state: UnitState) => string | null }) {
  const always: UnitState[] = ["done", "quarantined", "pending"];
  return (
    <Stack direction="row" sx={{ flexWrap: "wrap", columnGap: 3, rowGap: 0.5 }}>
      {shares(counters).filter((part) => part.units > 0 || always.includes(part.state)).map((part) => {
        const look = UNIT_LOOK[part.state];
        const to = linkOf?.(part.state);
        const text = <><b data-testid={`count-${part.state}`}>{count(part.units)}</b> {look.word}</>;
        return (
          <span key={part.state}>
            <Box component="span" aria-hidden="true" sx={{ color: look.colour, fontWeight: 700 }}>{look.sign} </Box>
            {to && part.units > 0 ? <Link to={to}>{text}</Link> : text}
          </span>
        );
      })}
      <span>of <b>{count(counters.total)}</b> units</span>
    </Stack>
  );
}
