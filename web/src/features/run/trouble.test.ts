import { expect, it } from "vitest";
import { awayOf, flightText, leftOf, pauseOf } from "./trouble";

const event = (at: number, name: string, data: Record<string, unknown> = {}) => ({ number: at, at, run: "r", name, level: "info", chunk: "", data });

it("a paused run says whose turn it is, by the newest pause", () => {
  const events = [event(1, "run.paused", { by: "window" }), event(2, "run.running"), event(3, "command.done", { command: "pause", by: "ada" }), event(4, "worker.ended")];
  expect(pauseOf("paused by ada", events)).toEqual({ by: "person", since: 3 });
  expect(pauseOf("a full disk", [...events, event(9, "run.paused", { by: "room" })])).toEqual({ by: "room", since: 9 });
  expect([pauseOf("outside its window (nights): it goes on by itself", []), pauseOf("paused by ada", [])]).toEqual([{ by: "window", since: null }, { by: "person", since: null }]);
});

it("a system is away since it was first found so, until a circuit closes", () => {
  const events = [event(1, "circuit.open", { system: "crm", error: "503" }), event(2, "circuit.closed"), event(3, "circuit.open", { system: "crm", error: "crm answers 503" }), event(4, "target.away", { target: "billing", error: "refused" }), event(5, "circuit.open", { system: "crm", error: "again" })];
  expect(awayOf(events)).toEqual([{ system: "billing", since: 4, error: "refused" }, { system: "crm", since: 3, error: "crm answers 503" }]);
  expect(awayOf(events.slice(0, 2))).toEqual([]);
});

it("chunks in flight are counted before somebody stops them", () => {
  expect([flightText(0, "x"), flightText(1, ", to end"), flightText(8, ", to end")]).toEqual(["No chunk is in flight.", "1 chunk is in flight, to end.", "8 chunks are in flight, to end."]);
});

it("units that wait for a person are named with what to do: in doubt at once, set aside when the run is over", () => {
  const told = (state: "running" | "completed_with_exceptions", doubt: number, quarantined: number) => leftOf("r 1", state, { in_doubt: doubt, quarantined }).map((one) => [one.text.split(/[:,]/)[0], one.to]);
  expect(told("running", 0, 5)).toEqual([]);
  expect(told("running", 1, 5)).toEqual([["1 unit is in doubt", "/calls?state=in_doubt&run=r+1"]]);
  expect(told("completed_with_exceptions", 2, 2)).toEqual([["2 units are in doubt", "/calls?state=in_doubt&run=r+1"], ["2 units are set aside", "/quarantine?run=r+1"]]);
});
