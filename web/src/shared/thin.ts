/** A line of hundreds of samples as it is drawn: one point for each stretch of time, and moments to stand below it. Pure. */

/** More points than that are not told apart on a chart. */
export const MOST = 240;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

export interface Row {
  at: number;
  values: (number | null)[];
}
/** One line of the points; its `peak` is the largest value of a stretch, else it is their mean. */
export interface Of<P> {
  of: (point: P) => number | null;
  peak?: boolean;
}

/** At most about `most` rows, by stretches of the clock: a new point moves none of the old ones. A point without any value stays: it is a gap. */
export function thinned<P extends { at: number }>(points: P[], lines: Of<P>[], most = MOST): Row[] {
  const rows = points.map((point) => ({ at: point.at, values: lines.map((line) => line.of(point)) }));
  const [first, last] = [rows[0], rows[rows.length - 1]];
  if (!first || !last || rows.length <= most) return rows;
  let stretch = 1;
  while ((last.at - first.at) / stretch > most) stretch *= 2;
  const found: Row[] = [first]; // the axis begins and ends where the samples do
  let held: Row[] = [];
  const settle = () => {
    const end = held[held.length - 1];
    if (end) found.push({ at: end.at, values: lines.map((line, index) => joined(held.map((row) => row.values[index] ?? null), line.peak)) });
    held = [];
  };
  for (const row of rows.slice(1)) {
    const gap = row.values.every((value) => value === null);
    if (gap || (held[0] && Math.floor(held[0].at / stretch) !== Math.floor(row.at / stretch))) settle();
    if (!gap) held.push(row);
    else if (found[found.length - 1]?.values.some((value) => value !== null)) found.push(row);
  }
  settle();
  if (found[found.length - 1]?.at !== last.at) found.push(last);
  return found;
}

function joined(values: (number | null)[], peak = false): number | null {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return null;
  return peak ? Math.max(...known) : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Round moments between two, `most` of them at most, by a clock that is `ahead` seconds before UTC. */
export function moments(from: number, to: number, most: number, ahead = 0): number[] {
  const least = (to - from) / Math.max(1, most);
  const step = STEPS.find((one) => one >= least) ?? Math.ceil(least / 86400) * 86400;
  const found: number[] = [];
  for (let at = Math.ceil((from + ahead) / step) * step - ahead; at <= to && found.length < most; at += step) found.push(at);
  return found;
}
