/** The parts of the run page. */
export const TABS = ["progress", "workers", "systems", "quarantine", "events", "settings"] as const;
export type Tab = (typeof TABS)[number];

export const tabOf = (named: string | null): Tab => TABS.find((tab) => tab === named) ?? "progress";
