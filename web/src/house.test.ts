/** Rules of this folder that no compiler holds. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import openapiTS, { astToString } from "openapi-typescript";

const ROOT = resolve(import.meta.dirname);
const files = (readdirSync(ROOT, { recursive: true }) as string[]).filter((name) => /\.tsx?$/.test(name));
const text = (name: string) => readFileSync(join(ROOT, name), "utf-8");

describe("the house", () => {
  it("keeps features apart: what two of them need lies in shared", () => {
    const crossing = files.filter((name) => name.startsWith("features/")).flatMap((name) => {
      const own = name.split("/")[1];
      const imported = [...text(name).matchAll(/from "(\.[^"]+)"|import\("(\.[^"]+)"\)/g)].map((found) => relative(ROOT, resolve(ROOT, name, "..", found[1] ?? found[2] ?? "")));
      return imported.filter((path) => path.startsWith("app") || (path.startsWith("features/") && path.split("/")[1] !== own)).map((path) => `${name} imports ${path}`);
    });
    expect(crossing).toEqual([]);
  });

  it("loads nothing from another host", () => {
    const foreign = files.filter((name) => !name.endsWith(".test.ts") && name !== "api/schema.d.ts" && /["'`]https?:\/\//.test(text(name)));
    expect(foreign).toEqual([]);
  });

  it("knows the server's document as it is: `npm run types` after a change", async () => {
    const made = astToString(await openapiTS(new URL(`file://${resolve(ROOT, "../../docs/reference/openapi.json")}`)));
    expect(text("api/schema.d.ts").replace(/^\/\*\*[\s\S]*?\*\/\s*/, "")).toBe(made);
  });

  it("writes what changes with every number as a style, not as a class: each class stays in the page for good", () => {
    const growing = files.filter((name) => !name.endsWith(".test.ts") && /sx=\{\{[^}]*`\$\{[^`]*%`/.test(text(name)));
    expect(growing).toEqual([]);
  });

  it("keeps files short", () => {
    const long = files.filter((name) => name !== "api/schema.d.ts" && text(name).split("\n").length > 200);
    expect(long).toEqual([]);
  });
});
