/** Something that is done once for all who ask for it within a while. */
export interface Paced {
  ask: () => void;
  /** What was asked for and not yet done is not done. */
  drop: () => void;
}

/** Done `after` milliseconds after it was asked for, once for all who ask meanwhile, and `apart` milliseconds after the last time at least. */
export function paced(act: () => void, after: number, apart = after): Paced {
  let last = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    ask: () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        last = performance.now();
        act();
      }, Math.max(after, last + apart - performance.now()));
    },
    drop: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
