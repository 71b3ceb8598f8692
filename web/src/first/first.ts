/** The first script of all, and a small one: while the others are loaded, it has the page's own files fetched, and asks what the page will ask. */
import { asksOf, filesOf } from "./asks";

const { pathname, search } = window.location;

function preload(): void {
  const told = document.getElementById("files")?.textContent ?? "[]";
  for (const file of filesOf(pathname, JSON.parse(told) as [string, string[]][])) {
    const link = document.createElement("link");
    Object.assign(link, { rel: "modulepreload", href: file, crossOrigin: "anonymous" });
    document.head.append(link);
  }
}

function ask(): void {
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
}

// Where the dashboard was quicker, it has asked by itself.
if (globalThis.asked === undefined) {
  preload();
  ask();
}
