/** Filters that stand in the address: what one sees can be sent to somebody else. */
import { useCallback } from "react";
import { useSearchParams } from "react-router-dom";

export type Filters<N extends string> = Record<N, string>;

/** The values of `names` in the address ("" where there is none), and what changes some of them. */
export function useFilters<N extends string>(names: readonly N[]): [Filters<N>, (change: Partial<Filters<N>>) => void] {
  const [params, setParams] = useSearchParams();
  const change = useCallback(
    (values: Partial<Filters<N>>) => {
      setParams(
        (now) => {
          const next = new URLSearchParams(now);
          for (const [name, value] of Object.entries(values)) {
            if (value) next.set(name, String(value));
            else next.delete(name);
          }
          return next;
        },
        { replace: true },
      );
    },
    [setParams],
  );
  return [Object.fromEntries(names.map((name) => [name, params.get(name) ?? ""])) as Filters<N>, change];
}
