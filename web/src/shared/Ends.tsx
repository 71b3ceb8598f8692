import type { Shape } from "../api/client";
import { etaText, rate } from "./format";

/** How fast a run that goes on is, and when it ends; in its first seconds, that nobody knows yet. */
export function Ends({ state, progress, mean = false }: { state: Shape<"RunState">; progress: Shape<"ProgressShape"> | undefined; mean?: boolean }) {
  if (!progress) return <span>…</span>;
  const { rate: now, mean_rate: whole, eta, at } = progress;
  if (state !== "paused" && now == null && eta == null) return <span>pace and end are known after the first chunks</span>;
  return <span>{state === "paused" ? "stands still" : rate(now)}{mean && ` · mean ${rate(whole)}`} · ends <b>{etaText(eta, at)}</b></span>;
}
