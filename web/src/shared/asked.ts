import type { Shape } from "../api/client";

export interface Wanted {
  parameters: Record<string, string>;
  workers: string;
  limit: string;
  dryRun: boolean;
}

/** The form as the server is asked; what was left empty is left to the job. */
export function asked(job: Shape<"JobShape">, wanted: Wanted): Shape<"StartAsked"> {
  const set = Object.entries(wanted.parameters).filter(([, value]) => value !== "");
  return {
    job: job.name,
    parameters: Object.fromEntries(set),
    dry_run: wanted.dryRun,
    accept_change: false,
    ...(wanted.workers ? { workers: Number(wanted.workers) } : {}),
    ...(wanted.limit ? { selection: { limit: Number(wanted.limit), skip_missing: false } } : {}),
  };
}
