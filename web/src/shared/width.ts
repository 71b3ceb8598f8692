/** How wide an element is that is about to be seen: the browser tells it after it has laid the page out, and whenever that changes; nobody has it laid out to ask. */
import { useCallback, useRef, useState, type RefCallback } from "react";

/** So far from what is seen, an element is as good as seen. */
const NEAR = "150px";
/** What is not near yet is told its width nevertheless when the page has had so many milliseconds of rest. */
const REST = 500;

/** What to give the element as its `ref`, and its width in whole pixels; null until it is known, 0 while the element is far from what is seen. */
export function useWidth<E extends Element>(): [RefCallback<E>, number | null] {
  const [width, setWidth] = useState<number | null>(null);
  const stop = useRef<() => void>(undefined);
  const place = useCallback((element: E | null) => {
    stop.current?.();
    if (element) stop.current = watch(element, setWidth);
  }, []);
  return [place, width];
}

function watch(element: Element, tell: (width: number) => void): () => void {
  const sizes = new ResizeObserver(([one]) => one && tell(Math.floor(one.contentRect.width)));
  let rest: ReturnType<typeof setTimeout> | undefined;
  const near = () => {
    clearTimeout(rest);
    places.disconnect();
    sizes.observe(element);
  };
  const places = new IntersectionObserver(([one]) => {
    if (one?.isIntersecting) near();
    else {
      tell(0);
      rest ??= setTimeout(() => requestIdleCallback(near, { timeout: REST }), REST);
    }
  }, { rootMargin: NEAR });
  places.observe(element);
  return () => {
    clearTimeout(rest);
    places.disconnect();
    sizes.disconnect();
  };
}
