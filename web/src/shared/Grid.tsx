import { Table, TableBody, TableCell, TableContainer, TableHead, TableRow } from "@mui/material";
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
  return (
    <TableContainer tabIndex={0} role="region" aria-label={label} sx={{ maxHeight: height }}>
      <Table size="small" stickyHeader={height !== undefined}>
        <TableHead>
          <TableRow>{columns.map((one) => <TableCell key={one.name} align={one.right ? "right" : "left"} sx={{ whiteSpace: "nowrap" }}>{one.name}</TableCell>)}</TableRow>
        </TableHead>
        <TableBody>
          {rows.map((row) => (
            <TableRow key={keyOf(row)} selected={chosen?.(row) ?? false} hover>
              {columns.map((one) => (
                <TableCell
                  key={one.name}
                  align={one.right ? "right" : "left"}
                  className={one.mono ? "mono" : undefined}
                  sx={{ whiteSpace: one.tight || one.right ? "nowrap" : undefined, ...(one.wide ? { minWidth: one.wide, overflowWrap: "anywhere" } : {}) }}
                >
                  {one.cell(row)}
                </TableCell>
              ))}
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </TableContainer>
  );
}
