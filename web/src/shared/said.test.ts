import { expect, it } from "vitest";
import { apart, byWhom, saidOf } from "./said";

it("events are told in words, without what stands in every line", () => {
  expect(saidOf("command.done", { command: "set", workers: 2, by: "ada", outcome: "done" })).toBe("set workers 2, by ada: done");
  expect(saidOf("pace.governed", { system: "crm", what: "in_flight", before: 8, after: 4, why: "it failed", worker: "w-1" })).toBe("crm: in flight 8 → 4, because it failed");
  expect(saidOf("unit.quarantined", { worker: "w-1", pid: 7, run: "r", chunk: "c", unit: "4711", step: "", reason: "no contact" })).toBe("unit 4711: no contact");
  expect(saidOf("unit.quarantined", { unit: "7", step: "crm.customer", reason: "crm.customer: refused" })).toBe("unit 7: crm.customer: refused");
  expect(saidOf("chunk.finished", { run: "r", done: 1940, rejected: 1 })).toBe("1,940 done, 1 set aside");
  expect(saidOf("worker.ended", { worker: "w-1", run_state: "completed_with_exceptions" })).toBe("the run is completed with exceptions");
  expect(saidOf("chunk.undone", { worker: "w-1", pid: 7, run: "r", chunk: "c", units: 3 })).toBe("units 3");
  expect(saidOf("alert.raised", { rule: "quarantine_rate", severity: "warning", text: "1.7% are in quarantine" })).toBe("quarantine rate: 1.7% are in quarantine");
  expect(saidOf("run.paused", { supervisor: "s-1", reason: "outside its window", by: "window" })).toBe("outside its window");
  expect(saidOf("run.paused", { reason: "the disk is full", pause: 30, by: "ada" })).toBe("the disk is full, pause 30, by ada");
  expect(saidOf("run.running", { reason: "its window is open", after: "outside its window: it goes on at 04:00" })).toBe("its window is open");
  expect(saidOf("run.running", { after: "x" })).toBe("");
  expect(byWhom({ worker: "w-1" }) + byWhom({})).toBe("w-1");
});

it("what a worker measured is told by what matters, not as numbers in brackets", () => {
  const data = { system: "crm", requests: { "429": 7, "2xx": 160, none: 1 }, latencies: [1, 2], paced_seconds: 43.01 };
  expect(saidOf("system.metered", data)).toBe("crm: 168 requests, 7 × 429, 1 × no answer, waited 43 s for the pace");
});

it("an event that nobody has foreseen is told by its names and values", () => {
  expect(saidOf("new.one", { chunks_left: 12345, error: "", list: ["a", "b"], share: 0.123456, of: { x: 1 } })).toBe("chunks left 12,345, list a b, share 0.123, of x 1");
});

it("a message that says the reason again is not told twice", () => {
  expect(apart("no contact", "no contact (unit 17)")).toBe("");
  expect(apart("no contact", "rules/a.sql: no contact (unit 17)")).toBe("rules/a.sql");
  expect(apart("no contact", "it has none")).toBe("it has none");
});
