import { afterEach, describe, expect, it, vi } from "vitest";
import { address, get, Problem, rememberCsrf, send } from "./client";
import { roleMay } from "./session";

afterEach(() => vi.unstubAllGlobals());

describe("the door to the server", () => {
  it("writes keys with slashes and blanks into a path without opening another one", () => {
    expect(address("/runs/{run}/units/{key}", { run: "r", key: "a/b c" }, { limit: 5, state: "" })).toBe("/runs/r/units/a%2Fb%20c?limit=5");
  });
  it("tells a refusal in the server's words", async () => {
    const told = { type: "urn:ludb:problem:conflict", detail: "run r is live", remedy: "Stop it", where: "run r" };
    vi.stubGlobal("fetch", async () => new Response(JSON.stringify(told), { status: 409 }));
    const refused = (await get("/api/v1/runs", {}).catch((error: unknown) => error)) as Problem;
    expect([refused.message, refused.kind, refused.remedy, refused.status]).toEqual(["run r is live", "conflict", "Stop it", 409]);
  });
  it("proves with every change that this very page asks", async () => {
    const asked = vi.fn(async () => new Response(null, { status: 204 }));
    vi.stubGlobal("fetch", asked);
    rememberCsrf("t");
    await send("post", "/api/v1/logout", {});
    expect(asked.mock.calls[0]).toMatchObject(["/api/v1/logout", { method: "POST", headers: { "X-CSRF-Token": "t" } }]);
  });
  it("takes what was asked for while scripts were loaded, once; what was refused then it asks anew", async () => {
    const fetched = vi.fn(async () => new Response('{"items": ["later"]}'));
    vi.stubGlobal("fetch", fetched);
    vi.stubGlobal("performance", { now: () => 300 });
    const early = { "/api/v1/runs?limit=1": new Response('{"items": ["early"]}'), "/api/v1/runs?limit=2": new Response("{}", { status: 403 }) };
    vi.stubGlobal("asked", new Map(Object.entries(early).map(([url, answer]) => [url, Promise.resolve(answer)])));
    const told = async (limit: number) => (await get("/api/v1/runs", {}, { limit })).items;
    expect([await told(1), await told(1), await told(2)]).toEqual([["early"], ["later"], ["later"]]);
    expect(fetched).toHaveBeenCalledTimes(2);
  });
  it("tells nothing that was asked long ago", async () => {
    vi.stubGlobal("fetch", async () => new Response('{"items": ["now"]}'));
    vi.stubGlobal("performance", { now: () => 60_000 });
    vi.stubGlobal("asked", new Map([["/api/v1/runs", Promise.resolve(new Response('{"items": ["long ago"]}'))]]));
    expect((await get("/api/v1/runs")).items).toEqual(["now"]);
  });
});

it("a role may what the ones before it may", () => {
  expect([roleMay("viewer", "operator"), roleMay("operator", "operator"), roleMay("admin", "editor")]).toEqual([false, true, true]);
});
