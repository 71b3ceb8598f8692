/** What a key means, given the one before it. Pure. */
export interface Pressed {
  key: string;
  /** Milliseconds. */
  at: number;
}

const TOGETHER = 1_500;

/** The page after `g` and its letter, if they came within 1.5 s; `/` finds, `?` helps. Null: nothing of ours. */
export function pressed<P extends { key?: string }>(before: Pressed, now: Pressed, places: P[]): P | "find" | "help" | null {
  if (before.key === "g" && now.at - before.at <= TOGETHER) {
    const place = places.find((one) => one.key === now.key);
    if (place) return place;
  }
  return now.key === "/" ? "find" : now.key === "?" ? "help" : null;
}
