/** Whoever points at a link, or comes to it by the keyboard, is likely to follow it: the file of its page is fetched before. */
import { pageAt } from "./pages";

export function fetchAhead(): () => void {
  const heard = (event: Event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    // What fails is told when the page is opened.
    if (link?.origin === window.location.origin) void pageAt(link.pathname)?.load().catch(() => undefined);
  };
  const signs = ["pointerover", "focusin"] as const;
  signs.forEach((sign) => document.addEventListener(sign, heard, { passive: true }));
  return () => signs.forEach((sign) => document.removeEventListener(sign, heard));
}
