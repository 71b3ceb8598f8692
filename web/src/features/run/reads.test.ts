import { QueryClient } from "@tanstack/react-query";
import { afterEach, describe, expect, it, vi } from "vitest";
import { asksOf } from "../../first/asks";
import { begin, reads } from "./reads";
import { TABS } from "./tabs";

afterEach(() => vi.unstubAllGlobals());

/** A server that answers all with the same, events late; what it was asked, and what it has answered. */
function serving(): { asked: string[]; answered: string[] } {
  const asked: string[] = [];
  const answered: string[] = [];
  vi.stubGlobal("fetch", async (url: string) => {
    asked.push(url);
    if (url.includes("/events")) await new Promise((go) => setTimeout(go, 20));
    answered.push(url);
    return new Response(JSON.stringify(url.includes("/series") || url.includes("/logs") ? [] : { items: [] }));
  });
  return { asked, answered };
}

describe("what the run page begins with", () => {
  it.each(TABS)("is in the part %s what was asked for while scripts were loaded, each once", async (tab) => {
    const { asked } = serving();
    const client = new QueryClient();
    await begin(client, "/runs/a%20b", `?tab=${tab}`);
    const early = asksOf("/runs/a%20b", `?tab=${tab}`);
    expect([...asked, "/api/v1/session"].sort()).toEqual([...early.first, ...early.next].sort());
    client.clear();
  });
  it("is read after its newest events, so that none falls between; what was read before them is read again", async () => {
    const { asked, answered } = serving();
    const client = new QueryClient();
    client.setQueryData(reads.rows("r").queryKey, { source: [], output: [] } as never);
    await begin(client, "/runs/r", "?tab=systems");
    expect([asked[0], answered[0]]).toEqual(Array(2).fill("/api/v1/events?run=r&limit=200"));
    expect(asked).toContain("/api/v1/runs/r/rows");
    client.clear();
  });
});
