/** The first script of all, and a small one: while the others are loaded it has the files of the page fetched, asks what the page will ask, and begins the dashboard. */
import { asksOf, filesOf } from "./asks";

/** Milliseconds for which the dashboard waits for the first answers. */
const MOST = 150;
const { pathname, search } = window.location;

function preload(): void {
  const told = document.getElementById("files")?.textContent ?? "[]";
  for (const file of filesOf(pathname, JSON.parse(told) as [string, string[]][])) {
    const link = document.createElement("link");
    Object.assign(link, { rel: "modulepreload", href: file, crossOrigin: "anonymous" });
    document.head.append(link);
  }
}

function ask(): Promise<unknown> {
  const asked = new Map<string, Promise<Response>>();
  globalThis.asked = asked;
  const answer = (url: string) => fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  const { first, next } = asksOf(pathname, search);
  first.forEach((url) => asked.set(url, answer(url)));
  const begun = Promise.all(asked.values());
  const after = async (url: string) => {
    if ((await begun).some((one) => !one.ok)) throw new Error("not asked");
    return answer(url);
  };
  next.forEach((url) => asked.set(url, after(url)));
  // Whoever takes one that failed asks anew, and tells what comes of that.
  asked.forEach((one) => void one.catch(() => undefined));
  return begun;
}

/** The dashboard itself: its scripts, once begun, leave no time to send what is asked next. */
function enter(): void {
  const script = document.createElement("script");
  const entry = document.getElementById("entry") as HTMLLinkElement;
  Object.assign(script, { type: "module", crossOrigin: "anonymous", src: entry.href });
  document.head.append(script);
}

const parsed = new Promise((go) => document.addEventListener("DOMContentLoaded", go));
preload();
const begun = ask().catch(() => undefined);
void Promise.all([parsed, Promise.race([begun, new Promise((go) => setTimeout(go, MOST))])]).then(() => setTimeout(enter));
