/** What the browser's tab says: of ten open tabs, which one is the cutover, and how far it is. */
import { useEffect } from "react";

/** `64.3% telco, running · ludb`; parts that are empty are left out. */
export const titleOf = (...parts: (string | undefined)[]): string => [...parts.filter(Boolean), "ludb"].join(" · ");

/** Sets it while the page is shown. */
export function useTitle(...parts: (string | undefined)[]): void {
  const title = titleOf(...parts);
  useEffect(() => {
    document.title = title;
  }, [title]);
}
