/** Filters of units set aside, as they stand in the address, and what they ask of the server. Pure. */

/** In the address, in words, in seconds. */
export const SINCE = [["", "at any time", 0], ["10m", "last 10 minutes", 600], ["1h", "last hour", 3_600], ["1d", "last day", 86_400], ["7d", "last 7 days", 604_800]] as const;

/** The earliest moment, by the minute so that an answer is not asked for again with every second; none for any time. */
export function sinceOf(named: string, now: number): number | undefined {
  const seconds = SINCE.find(([name]) => name === named)?.[2];
  return seconds ? Math.floor(now / 60) * 60 - seconds : undefined;
}

/** Reasons that hold the text, in themselves or in the name of their step. */
export const holding = <R extends { reason: string; step: string }>(reasons: R[], text: string): R[] =>
  reasons.filter((one) => [one.reason, one.step].some((told) => told.toLowerCase().includes(text.toLowerCase())));
