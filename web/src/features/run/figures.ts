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
export interface Mark {
  at: number;
  text: string;
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
    const of = (name: string) => sample.data[name] ?? null;
    found.push({
      at: sample.at,
      rate: before && !gap && since > 0 ? Math.max(0, sample.settled - before.settled) / since : null,
      cpu: of("host_cpu"),
      memory: of("host_memory"),
      workers: of("workers"),
      workersCpu: of("cpu"),
      workersMemory: of("memory"),
    });
  });
  return found;
}

/** What people changed: `workers 4, admin`. */
export function marks(commands: Shape<"CommandShape">[]): Mark[] {
  return commands
    .map((command) => {
      const set = Object.entries(command.arguments).map(([name, value]) => `${name} ${String(value)}`);
      const what = command.name === "set" ? set.join(", ") : command.arguments.now ? `${command.name} now` : command.name;
      return { at: command.done_at ?? command.at, text: `${what}, ${command.by}` };
    })
    .sort((a, b) => a.at - b.at);
}
