import type { Shape } from "../../api/client";

type Difference = Shape<"DifferenceShape">;
const place = (row: number, column: string) => `${row} ${column}`;

/** The differences of one output, found by cell; `missing` holds the rows that the target lacks. */
export function byCell(differences: Difference[], output: string): { at: (row: number, column: string) => Difference | undefined; missing: Set<number>; count: number } {
  const own = differences.filter((one) => one.output === output);
  const cells = new Map(own.filter((one) => one.kind !== "missing").map((one) => [place(one.row, one.column), one]));
  return { at: (row, column) => cells.get(place(row, column)), missing: new Set(own.filter((one) => one.kind === "missing").map((one) => one.row)), count: own.length };
}

/** `all as written`, `2 cells differ, 1 row is missing`. */
export function said(differences: Difference[]): string {
  const missing = differences.filter((one) => one.kind === "missing").length;
  const cells = differences.length - missing;
  const parts = [cells && `${cells} ${cells === 1 ? "cell differs" : "cells differ"}`, missing && `${missing} ${missing === 1 ? "row is" : "rows are"} missing`].filter(Boolean);
  return parts.length > 0 ? parts.join(", ") : "all as written";
}
