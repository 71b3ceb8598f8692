/** What a purge tells, as the page draws it. The server's answer has the shape of `ludb purge --json`. Pure. */
export interface Plan {
  dry: boolean;
  runs: { run: string; endedAt: number | null; rows: number; inRepository: number; files: number }[];
  removed: number;
  kept: { run: string; why: string }[];
}

const list = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? (value as Record<string, unknown>[]) : []);
const number = (value: unknown): number => (typeof value === "number" ? value : 0);

export function plan(outcome: Record<string, unknown>): Plan {
  return {
    dry: outcome.dry_run === true,
    runs: list(outcome.found).map((one) => ({
      run: String(one.run),
      endedAt: typeof one.ended_at === "number" ? one.ended_at : null,
      rows: number(one.rows),
      inRepository: number(one.bytes_in_repository),
      files: number(one.bytes_of_files),
    })),
    removed: list(outcome.removed).length,
    kept: Object.entries((outcome.kept ?? {}) as Record<string, unknown>).map(([run, why]) => ({ run, why: String(why) })),
  };
}
