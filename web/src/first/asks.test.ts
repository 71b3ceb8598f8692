import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { placesOf } from "../../early";
import { asksOf, filesOf } from "./asks";

const of = "/api/v1/runs/a%20b";

describe("what a page asks while its scripts are loaded", () => {
  it("is each address once, and of a run nothing before its newest events", () => {
    for (const tab of ["", "?tab=progress", "?tab=workers", "?tab=systems", "?tab=quarantine", "?tab=events", "?tab=settings"]) {
      const { first, next } = asksOf("/runs/a%20b", tab);
      expect(first).toEqual(["/api/v1/session", "/api/v1/events?run=a+b&limit=200"]);
      expect(next.slice(0, 2)).toEqual([of, `${of}/progress`]);
      expect(new Set(next).size).toBe(next.length);
      expect(next.every((url) => url.startsWith(of))).toBe(true);
    }
  });
  it("is nothing that the page will not ask in the same words", () => {
    expect(asksOf("/runs/a%20b", "?tab=events").next).toContain(`${of}/logs?lines=100`);
    expect(asksOf("/runs/a%20b", "?tab=events&level=error").next).not.toContain(`${of}/logs?lines=100`);
    expect(asksOf("/", "?state=failed").next).toEqual([]);
  });
  it("is who is here, on every page", () => {
    expect(asksOf("/units/telco/a.b", "")).toEqual({ first: ["/api/v1/session"], next: [] });
    expect(asksOf("/runs/r/wall", "").next).toEqual([]);
  });
});

describe("the files of a page", () => {
  it("are found by its address, as the router finds it", () => {
    const pages: [string, string[]][] = [["/", ["/o.js"]], ["/runs/:run", ["/r.js"]], ["/runs/:run/wall", ["/w.js"]]];
    expect(["/", "/runs/a%2Fb", "/runs/a/wall", "/elsewhere"].map((path) => filesOf(path, pages))).toEqual([["/o.js"], ["/r.js"], ["/w.js"], []]);
  });
  it("are those of every page there is", () => {
    const text = readFileSync(join(import.meta.dirname, "../app/pages.tsx"), "utf-8");
    const places = placesOf(text);
    expect(places).toContainEqual(["/runs/:run", "features/run/RunPage"]);
    expect(places.length).toBe(text.match(/later\(/g)?.length);
    expect(() => placesOf('{ path: "/new", page: other }')).toThrow();
  });
});
