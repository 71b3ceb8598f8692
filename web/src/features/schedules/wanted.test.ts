import { expect, it } from "vitest";
import { asked, changeOf, EMPTY, fireAt } from "./wanted";

it("a webhook is asked for without a time, which the server refuses; every other kind with its own", () => {
  const wave = { ...EMPTY, name: "wave", job: "telco", zone: "UTC" };
  expect(asked({ ...wave, kind: "webhook" })).not.toHaveProperty("spec");
  expect(changeOf({ ...wave, kind: "webhook" })).toEqual({ name: "wave", zone: "UTC" });
  expect(asked({ ...wave, kind: "file", spec: "/data/*.csv" }).spec).toBe("/data/*.csv");
  expect(changeOf({ ...wave, kind: "file", spec: "/data/*.csv" }).spec).toBe("/data/*.csv");
  expect(fireAt("https://ludb.example", "a b")).toBe("https://ludb.example/api/v1/schedules/a%20b/fire");
});
