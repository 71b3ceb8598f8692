/** From samples to what charts draw. Pure. */
import type { Shape } from "../../api/client";

type Sample = Shape<"SampleShape">;
export interface Point {
  at: number;
  rate: number | null;
  cpu: number | null;
  memory: number | null;
  workers: number | null;
  workersCpu: number | null;
  workersMemory: number | null;
}

const GAP = 2.5;
const NOTHING = { rate: null, cpu: null, memory: null, workers: null, workersCpu: null, workersMemory: null };

/** Units per second between two samples. Where samples are missing, or the run was paused, stands a gap, not a line. */
export function points(samples: Sample[]): Point[] {
  const found: Point[] = samples[0] ? [{ at: samples[0].at - samples[0].span, ...NOTHING }] : [];
  samples.forEach((sample, index) => {
    const before = samples[index - 1];
    const since = before ? sample.at - before.at : sample.span;
    const gap = before !== undefined && since > GAP * Math.max(sample.span, before.span);
    if (gap) found.push({ at: before.at + since / 2, ...NOTHING });
    const idle = sample.data.workers === 0 && sample.settled === before?.settled; // paused: nobody works
    const of = (name: string) => sample.data[name] ?? null;
    found.push({
      at: sample.at,
      rate: before && !gap && !idle && since > 0 ? Math.max(0, sample.settled - before.settled) / since : null,
      cpu: of("host_cpu"),
      memory: of("host_memory"),
      workers: of("workers"),
      workersCpu: of("cpu"),
      workersMemory: of("memory"),
    });
  });
  return found;
}

/** Where the slider of workers ends: twice the host's cores, never below what works now. */
export const cap = (workers: number, cores: number): number => Math.max(4, 2 * cores, workers);

/** The last `seconds` of what was sampled; all of it for null. */
export function lately<P extends { at: number }>(points: P[], seconds: number | null): P[] {
  const last = points[points.length - 1];
  return seconds === null || !last ? points : points.filter((point) => point.at >= last.at - seconds);
}
