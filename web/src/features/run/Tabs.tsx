import { Box } from "@mui/material";
import { Link } from "react-router-dom";

const TABS = ["progress", "workers", "systems", "quarantine", "events", "settings"] as const;
export type Tab = (typeof TABS)[number];

export const tabOf = (named: string | null): Tab => TABS.find((tab) => tab === named) ?? "progress";
const word = (tab: Tab) => tab.charAt(0).toUpperCase() + tab.slice(1);
const LOOK = {
  display: "flex", gap: 3, overflowX: "auto", borderBottom: 1, borderColor: "divider",
  "& a": { py: 1, color: "text.secondary", textDecoration: "none", borderBottom: "2px solid transparent", whiteSpace: "nowrap" },
  "& a:hover": { color: "text.primary" },
  "& a[aria-current]": { color: "text.primary", fontWeight: 600, borderBottomColor: "var(--s-accent)" },
};

/** The parts of the page; links, so that each can be opened beside another and sent to somebody. */
export function Tabs({ tab }: { tab: Tab }) {
  return (
    <Box component="nav" aria-label="parts of the run" sx={LOOK}>
      {TABS.map((one) => <Link key={one} to={one === "progress" ? "?" : `?tab=${one}`} aria-current={one === tab ? "page" : undefined}>{word(one)}</Link>)}
    </Box>
  );
}
