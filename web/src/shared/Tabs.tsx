import { Box } from "@mui/material";
import { Link } from "react-router-dom";

const LOOK = {
  display: "flex", gap: 3, overflowX: "auto", borderBottom: 1, borderColor: "divider",
  "& a": { py: 1, color: "text.secondary", textDecoration: "none", borderBottom: "2px solid transparent", whiteSpace: "nowrap" },
  "& a:hover": { color: "text.primary" },
  "& a[aria-current]": { color: "text.primary", fontWeight: 600, borderBottomColor: "var(--s-accent)" },
};

/** The parts of a page; links, so that each can be opened beside another and sent to somebody. The first needs no name in the address. */
export function Tabs<T extends string>({ label, tabs, tab }: { label: string; tabs: readonly T[]; tab: T }) {
  return (
    <Box component="nav" aria-label={label} sx={LOOK}>
      {tabs.map((one, index) => <Link key={one} to={index === 0 ? "?" : `?tab=${one}`} aria-current={one === tab ? "page" : undefined}>{one.charAt(0).toUpperCase() + one.slice(1)}</Link>)}
    </Box>
  );
}
