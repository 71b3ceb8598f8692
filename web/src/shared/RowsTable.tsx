import { Table, TableBody, TableCell, TableContainer, TableHead, TableRow } from "@mui/material";
import type { ReactNode } from "react";

const MOST = 200;

/** A value as text: NULL told apart from an empty text. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

interface Asked {
  rows: Record<string, unknown>[];
  label: string;
  /** What stands beside a cell's value; null for nothing. */
  beside?: (row: number, column: string) => ReactNode;
}

/** Rows with all columns that any of them has; at most 200 are drawn. */
export function RowsTable({ rows, label, beside }: Asked) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return (
    <TableContainer tabIndex={0} aria-label={`rows of ${label}`} role="region" sx={{ maxHeight: 320 }}>
      <Table size="small" stickyHeader>
        <TableHead><TableRow>{columns.map((name) => <TableCell key={name}>{name}</TableCell>)}</TableRow></TableHead>
        <TableBody>
          {rows.slice(0, MOST).map((row, index) => (
            <TableRow key={index}>{columns.map((name) => <TableCell key={name} className="mono">{cell(row[name])}{beside?.(index, name)}</TableCell>)}</TableRow>
          ))}
        </TableBody>
      </Table>
      {rows.length > MOST && <p>{rows.length - MOST} more are not drawn.</p>}
    </TableContainer>
  );
}
