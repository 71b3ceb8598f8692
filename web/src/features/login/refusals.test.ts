import { expect, it } from "vitest";
import { doorTo, pageAfter, refusalOf } from "./refusals";

it.each(["away", "denied", "inactive", "name", "role", "state", "token", "of-tomorrow"])("a login refused for %s is told in words, with what to do", (kind) => {
  const told = refusalOf(`?refused=${kind}`);
  expect(told?.says).toMatch(/^[A-Zl].*\.$/);
  expect(told?.todo).toMatch(/^[A-Z].*\.$/);
  expect(told?.says).not.toContain("refused=");
});

it("each refusal has its own words, and no refusal none", () => {
  const kinds = ["away", "denied", "inactive", "name", "role", "state", "token", "else"];
  expect(new Set(kinds.map((kind) => refusalOf(`?refused=${kind}`)?.says)).size).toBe(kinds.length);
  expect(refusalOf("")).toBeNull();
});

it("a login leads to the page that was asked for, after a refusal too, and never to another site", () => {
  const at = (pathname: string, search = "") => ({ pathname, search, hash: "" });
  expect(pageAfter(at("/runs/a", "?tab=events"), null)).toBe("/runs/a?tab=events");
  expect(pageAfter(at("/login", "?refused=role"), "/runs/a")).toBe("/runs/a");
  expect(["//evil.example", "/\\evil.example", "https://evil.example", "/login?refused=role", null].map((one) => pageAfter(at("/login"), one))).toEqual(["/", "/", "/", "/", "/"]);
  expect(doorTo("/in", "/runs/a?tab=events&x=1")).toBe("/in?next=%2Fruns%2Fa%3Ftab%3Devents%26x%3D1");
  expect(doorTo("/in", `/${"x".repeat(500)}`)).toBe("/in?next=%2F");
});
