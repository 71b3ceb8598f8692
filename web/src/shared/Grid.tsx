import type { ReactNode } from "react";

export interface Column<T> {
  name: string;
  cell: (row: T) => ReactNode;
  /** A number: to the right, under its head. */
  right?: boolean;
  /** Never broken into lines. */
  tight?: boolean;
  mono?: boolean;
  /** Long words may break; at least this wide. */
  wide?: number;
}

interface Asked<T> {
  label: string;
  columns: Column<T>[];
  rows: T[];
  keyOf: (row: T) => string | number;
  chosen?: (row: T) => boolean;
  height?: number;
}

/** A table that scrolls by itself, sideways too, and is reached by the keyboard. */
export function Grid<T>({ label, columns, rows, keyOf, chosen, height }: Asked<T>) {
  const look = (one: Column<T>) => [one.right && "right", one.tight && "tight", one.mono && "mono", one.wide && "wide"].filter(Boolean).join(" ") || undefined;
  return (
    <Scrolls label={label} height={height}>
      <table className={height === undefined ? "cells tight" : "cells tight sticky"}>
        <thead>
          <tr>{columns.map((one) => <th key={one.name} scope="col" className={one.right ? "right" : undefined}>{one.name}</th>)}</tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} className={chosen?.(row) ? "chosen" : "hover"}>
              {columns.map((one) => <td key={one.name} className={look(one)} style={one.wide ? { minWidth: one.wide } : undefined}>{one.cell(row)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolls>
  );
}

/** A place that scrolls by itself, sideways too, and is reached by the keyboard. */
export function Scrolls({ label, height, children }: { label: string; height?: number; children: ReactNode }) {
  return <div tabIndex={0} role="region" aria-label={label} className="scrolls" style={height === undefined ? undefined : { maxHeight: height, overflowY: "auto" }}>{children}</div>;
}
