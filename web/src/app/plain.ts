/** How that looks of which a page has hundreds: classes written once. A style of its own for each cell or line is made anew whenever one is drawn. */
const EDGE = "1px solid var(--mui-palette-TableCell-border)";

export const PLAIN = {
  ".scrolls": { overflowX: "auto", width: "100%" },
  ".cells": { width: "100%", borderCollapse: "collapse", borderSpacing: 0 },
  ".cells th, .cells td": { padding: "6px 10px", textAlign: "left", borderBottom: EDGE, lineHeight: 1.43 },
  ".cells th": { fontWeight: 500, lineHeight: "1.39286rem" },
  ".cells .right": { textAlign: "right", whiteSpace: "nowrap" },
  ".cells .tight, .cells.tight th": { whiteSpace: "nowrap" },
  ".cells .wide": { overflowWrap: "anywhere" },
  ".cells.sticky": { borderCollapse: "separate" },
  ".cells.sticky th": { position: "sticky", top: 0, zIndex: 2, backgroundColor: "var(--mui-palette-background-default)" },
  ".cells tbody tr.hover:hover": { backgroundColor: "var(--mui-palette-action-hover)" },
  ".cells tbody tr.chosen, .cells tbody tr.chosen:hover": { backgroundColor: "rgba(var(--mui-palette-primary-mainChannel) / var(--mui-palette-action-selectedOpacity))" },
  ".line": { display: "flex", columnGap: 8, padding: "2px 0" },
  ".line > .grave": { width: 10, flex: "none", fontWeight: 700 },
  ".line > b": { whiteSpace: "nowrap" },
  ".line > .said": { overflowWrap: "anywhere", minWidth: 0, flex: 1 },
  ".line > .by": { color: "var(--mui-palette-text-secondary)", whiteSpace: "nowrap", marginLeft: "auto" },
  "@media (max-width: 599.95px)": { ".line": { flexWrap: "wrap" }, ".line > .said": { flex: "1 0 100%", order: 1 } },
  // Nothing moves but for a change of state; a place that is kept is as high as what is to come.
  ".waiting > div": { height: 28, transform: "scale(1, 0.6)", borderRadius: 6, backgroundColor: "var(--mui-palette-Skeleton-bg)" },
} as const;
