import { describe, expect, it } from "vitest";
import { marks } from "../../shared/marks";
import { cap, lately, points } from "./figures";
import { joined } from "./live";
import { actionsOf, says } from "./Actions";

const sample = (at: number, settled: number) => ({ at, span: 5, settled, data: {} });

describe("the charts", () => {
  it("tell the pace between two samples", () => {
    expect(points([sample(0, 0), sample(5, 50)]).map((point) => point.rate)).toEqual([null, null, 10]);
  });
  it("leave a gap where a run was paused, instead of a line", () => {
    const drawn = points([sample(0, 0), sample(5, 50), sample(105, 60)]);
    expect(drawn.map((point) => [point.at, point.rate])).toEqual([[-5, null], [0, null], [5, 10], [55, null], [105, null]]);
  });
  it("leave a gap where nobody worked, though somebody looked", () => {
    const looked = (at: number, settled: number, workers: number) => ({ ...sample(at, settled), data: { workers } });
    expect(points([looked(0, 0, 1), looked(5, 50, 0), looked(10, 50, 0), looked(15, 50, 1)]).map((point) => point.rate)).toEqual([null, null, 10, null, 0]);
  });
  it("show the whole run, or its last minutes", () => {
    const drawn = points([sample(0, 0), sample(5, 50), sample(10, 60)]);
    expect([lately(drawn, null).length, lately(drawn, 5).map((point) => point.at), lately([], 5)]).toEqual([4, [5, 10], []]);
    expect([cap(2, 8), cap(40, 8), cap(1, 0)]).toEqual([16, 40, 4]);
  });
  it("mark who changed what", () => {
    const command = { number: 1, run: "r", name: "set", arguments: { workers: 4 }, by: "ada", at: 1, done_at: 2, outcome: "done", held: true };
    expect(marks([command, { ...command, name: "stop", arguments: { now: true }, at: 0, done_at: null }])).toEqual([
      { at: 0, text: "stop now, ada" },
      { at: 2, text: "workers 4, ada" },
    ]);
  });
});

describe("events", () => {
  it("stand once, in order, whatever comes twice", () => {
    const event = (number: number) => ({ number, at: number, run: "r", name: "n", level: "info", chunk: "", data: {} });
    expect(joined([event(1), event(2)], [event(3), event(2)]).map((one) => one.number)).toEqual([1, 2, 3]);
  });
});

describe("actions", () => {
  it("are offered only where the run's state leaves something to do", () => {
    expect([actionsOf("completed"), actionsOf("running"), actionsOf("paused")]).toEqual([[], ["pause", "stop", "stop now"], ["resume", "stop", "stop now"]]);
  });
  it("say in one sentence what happens to the chunks in flight", () => {
    expect(says("stop now", 2)).toBe("2 chunks are in flight: what is not decided is given back and will be done anew; what is decided is still committed. It can be resumed later.");
    expect(says("pause", 0)).toBe("No chunk is in flight. Then the workers leave, and the run waits until it is resumed.");
  });
});
