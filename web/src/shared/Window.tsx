import { Box } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router-dom";
import { get, type Shape } from "../api/client";
import { clock, duration, zoneName } from "./format";

const FITS = {
  yes: { sign: "✓", word: "fits", colour: "done" },
  unsure: { sign: "?", word: "may not fit", colour: "quarantined" },
  no: { sign: "✕", word: "does not fit", colour: "failed" },
} as const;

/** `window closes at 05:00 (in 2 h 31 m)`; nothing where the job has no window. */
export function windowText(gate: Shape<"GateShape">, now: number, zone?: string): string {
  const at = gate.open ? gate.closes_at : gate.opens_at;
  if (at == null) return "";
  return `window ${gate.open ? "closes" : "opens"} at ${clock(at, zone, false)} ${zoneName(at, zone)} (in ${duration(at - now)})`;
}

/** Until when this run may work, and whether it will be done by then. */
export function Window({ run, now }: { run: string; now: number }) {
  const gate = useQuery({ queryKey: ["runs", run, "window"], queryFn: () => get("/api/v1/runs/{run}/window", { run }), refetchInterval: 15_000 });
  const text = gate.data ? windowText(gate.data, now) : "";
  if (!gate.data || !text) return null;
  const fits = gate.data.fits ? FITS[gate.data.fits] : null;
  return (
    <span title={`${gate.data.windows.join(", ")} (${gate.data.zone})`}>
      <Link to="/schedules">{text}</Link>
      {fits && <Box component="b" sx={{ ml: 1, color: `var(--s-${fits.colour})` }}><span aria-hidden="true">{fits.sign} </span>{fits.word}</Box>}
    </span>
  );
}
