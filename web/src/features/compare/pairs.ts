/** Numbers of two runs. Pure. */
const signed = new Intl.NumberFormat("en-US", { signDisplay: "exceptZero" });

/** `+12 (+3.1%)`: how B stands against A. */
export function change(a: number, b: number): string {
  const by = signed.format(b - a);
  if (a === 0) return by;
  const share = ((b - a) / a) * 100;
  return `${by} (${share > 0 ? "+" : share < 0 ? "−" : ""}${Math.abs(share).toFixed(1)}%)`;
}

export const differing = <T extends { a: number; b: number }>(pairs: T[], all: boolean): T[] => (all ? pairs : pairs.filter((one) => one.a !== one.b));

interface Step {
  second: number;
  settled: number;
}
export interface Both {
  second: number;
  a: number | null;
  b: number | null;
}

/** Both paces on the axis of one clock that starts with each run: a moment of one has the other's last known number, none beyond its end. */
export function together(a: Step[], b: Step[]): Both[] {
  const moments = [...new Set([0, ...a.map((one) => one.second), ...b.map((one) => one.second)])].sort((x, y) => x - y);
  const reader = (steps: Step[]) => {
    const end = steps[steps.length - 1]?.second ?? -1;
    let at = 0;
    let settled = 0;
    return (second: number): number | null => {
      while (at < steps.length && (steps[at] as Step).second <= second) {
        settled = (steps[at] as Step).settled;
        at += 1;
      }
      return second > end ? null : settled;
    };
  };
  const [readA, readB] = [reader(a), reader(b)];
  return moments.map((second) => ({ second, a: readA(second), b: readB(second) }));
}
