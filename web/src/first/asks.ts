/** What the page at an address asks the server for before all else, so that it is asked for while scripts are still loaded. Pure. */

export interface Asks {
  /** Asked for at once. */
  first: string[];
  /** Asked for when those are answered, and only if they are: who is not logged in, or sees no such run, asks no further. */
  next: string[];
}

/** By the part of the run page, what it reads beside its head. */
const PARTS: Record<string, string[]> = {
  progress: ["series", "figures/series", "commands", "figures", "workers", "rows", "quarantine/reasons", "stragglers?limit=8", "logs?lines=100"],
  workers: ["series", "workers", "load", "figures/series", "commands", ...["claimed", "decided", "released"].map((state) => `chunks?state=${state}&limit=50`)],
  systems: ["figures", "rows"],
  quarantine: ["quarantine/reasons"],
  events: ["logs?lines=100"],
  settings: ["series", "commands", "audit"],
};

/** Session first; of a run its newest events too: all else that its page reads is read after them, so that none falls between. */
export function asksOf(path: string, search: string): Asks {
  const first = ["/api/v1/session"];
  const run = /^\/runs\/([^/]+)\/?$/.exec(path)?.[1];
  if (run === undefined) return { first, next: path === "/" && search === "" ? ["/api/v1/runs?limit=50", "/api/v1/alerts?standing=true", "/api/v1/systems/health"] : [] };
  const id = decodeURIComponent(run);
  const of = `/api/v1/runs/${encodeURIComponent(id)}`;
  const asked = new URLSearchParams(search);
  const parts = PARTS[asked.get("tab") ?? "progress"] ?? [];
  const next = [of, ...["progress", ...parts].map((what) => `${of}/${what}`)];
  const logged = asked.get("level") ? next.filter((url) => !url.includes("/logs")) : next;
  return { first: [...first, `/api/v1/events?${new URLSearchParams({ run: id, limit: "200" }).toString()}`], next: logged };
}

/** The built files of the page at an address, by the pattern of its path. */
export function filesOf(path: string, pages: [pattern: string, files: string[]][]): string[] {
  const fits = (pattern: string) => new RegExp(`^${pattern.replace(/:\w+/g, "[^/]+")}/?$`).test(path);
  return pages.find(([pattern]) => fits(pattern))?.[1] ?? [];
}
