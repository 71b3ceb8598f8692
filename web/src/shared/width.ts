/** How wide an element is: the browser tells it after it has laid the page out, and whenever that changes; nobody has it laid out to ask. */
import { useCallback, useRef, useState, type RefCallback } from "react";

/** What to give the element as its `ref`, and its width in whole pixels; 0 until it is known. */
export function useWidth<E extends Element>(): [RefCallback<E>, number] {
  const [width, setWidth] = useState(0);
  const observer = useRef<ResizeObserver>(undefined);
  const place = useCallback((element: E | null) => {
    observer.current?.disconnect();
    if (!element) return;
    observer.current = new ResizeObserver(([one]) => one && setWidth(Math.floor(one.contentRect.width)));
    observer.current.observe(element);
  }, []);
  return [place, width];
}
