/** Something that is done once for all who ask for it within a while. */
export interface Paced {
  ask: () => void;
  /** What was asked for and not yet done is not done. */
  drop: () => void;
}

/** Done `after` milliseconds after it was asked for, however often it is asked for meanwhile: never more often, and the last asker is heard. */
export function paced(act: () => void, after: number): Paced {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    ask: () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        act();
      }, after);
    },
    drop: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
