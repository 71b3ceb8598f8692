/** Where panels lie one below the other, what was asked for comes into view once it is there. */
import { useEffect, useRef } from "react";

/** Below this the units do not stand beside the reasons: the theme's `lg`. */
const BELOW = "(max-width: 1199.95px)";

/** A place for what is asked for; an empty text asks for nothing. */
export function useShown(asked: string, ready: boolean) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (asked && ready && window.matchMedia(BELOW).matches) place.current?.scrollIntoView({ block: "start" });
  }, [asked, ready]);
  return place;
}
