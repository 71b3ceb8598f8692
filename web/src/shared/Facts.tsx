import { Box } from "@mui/material";
import type { ReactNode } from "react";

/** Names and what is so of each, in two aligned columns. */
export function Facts({ of }: { of: (readonly [string, ReactNode])[] }) {
  return (
    <Box component="dl" sx={{ display: "grid", gridTemplateColumns: "minmax(110px, max-content) minmax(0, 1fr)", columnGap: 2, rowGap: 0.5, m: 0, "& dt": { color: "text.secondary" }, "& dd": { m: 0, overflowWrap: "anywhere" } }}>
      {of.map(([name, value]) => [<dt key={`${name} name`}>{name}</dt>, <dd key={name}>{value}</dd>])}
    </Box>
  );
}
