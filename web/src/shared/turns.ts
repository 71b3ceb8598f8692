/** What is costly to draw is drawn one after the other: between two of them the page hears its reader. */
import { useEffect, useState } from "react";

const waiting = new Set<() => void>();
let going = false;

function go(): void {
  const [next] = waiting;
  going = next !== undefined;
  if (!next) return;
  waiting.delete(next);
  setTimeout(go);
  next();
}

/** Does `act` in a task of its own, after all that wait already. What is given takes it back. */
export function inTurn(act: () => void): () => void {
  waiting.add(act);
  if (!going) {
    going = true;
    setTimeout(go);
  }
  return () => void waiting.delete(act);
}

/** The newest value whose turn has come; none before the first, and none has its turn while there is none. */
export function useTurn<T>(value: T | undefined): T | undefined {
  const [shown, show] = useState<{ value: T }>();
  useEffect(() => (value === undefined ? undefined : inTurn(() => show({ value }))), [value]);
  return shown?.value;
}

/** Milliseconds that a page has for its readers before it draws what only those see who scroll. */
const REST = 500;

/** How many lines of a long list are drawn: `first` with the page, all of them once it has come to rest. */
export function useLength(first: number): number {
  const [all, draw] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => requestIdleCallback(() => draw(true), { timeout: REST }), REST);
    return () => clearTimeout(timer);
  }, []);
  return all ? Infinity : first;
}
