/** Every page once: its address, the word and place in the menu, the key after `g`, and who may open it. */
import { matchPath } from "react-router-dom";
import type { Role } from "../api/session";
import { later, type Later } from "../shared/later";

export interface Place {
  path: string;
  page: Later<object>;
  /** Its word in the menu; none: it is reached by links alone. */
  menu?: string;
  /** What the tab says until the page knows better; `menu` where there is one. */
  word?: string;
  /** Where it stands in the menu: watching, doing, governing. */
  group?: 1 | 2 | 3;
  key?: string;
  role?: Role;
  /** Drawn without the frame, over the whole screen. */
  bare?: boolean;
}

/** By address, one line each. */
export const PAGES: Place[] = [
  { path: "/", menu: "Runs", group: 1, key: "r", page: later(() => import("../features/overview/OverviewPage")) },
  { path: "/alerts", menu: "Alerts", group: 1, key: "a", page: later(() => import("../features/alerts/AlertsPage")) },
  { path: "/audit", menu: "Audit", group: 3, key: "t", role: "admin", page: later(() => import("../features/audit/AuditPage")) },
  { path: "/calls", menu: "Calls", group: 1, key: "c", page: later(() => import("../features/calls/CallsPage")) },
  { path: "/history", menu: "History", group: 1, key: "h", page: later(() => import("../features/history/HistoryPage")) },
  { path: "/jobs/:job", word: "Job", page: later(() => import("../features/job/JobPage")) },
  { path: "/launch", menu: "Launch", group: 2, key: "l", role: "operator", page: later(() => import("../features/launch/LaunchPage")) },
  { path: "/quarantine", menu: "Quarantine", group: 1, key: "q", page: later(() => import("../features/quarantine/QuarantinePage")) },
  { path: "/runs/:run", word: "Run", page: later(() => import("../features/run/RunPage")) },
  { path: "/runs/:run/compare/:other", word: "Compare", page: later(() => import("../features/compare/ComparePage")) },
  { path: "/runs/:run/wall", word: "Wall", bare: true, page: later(() => import("../features/wall/WallPage")) },
  { path: "/schedules", menu: "Schedules", group: 2, key: "s", page: later(() => import("../features/schedules/SchedulesPage")) },
  { path: "/settings", menu: "Settings", group: 3, key: "e", page: later(() => import("../features/settings/SettingsPage")) },
  { path: "/systems", menu: "Systems", group: 1, key: "y", page: later(() => import("../features/systems/SystemsPage")) },
  { path: "/units/:job/:key", word: "Unit", page: later(() => import("../features/unit/UnitPage")) },
  { path: "/users", menu: "Users", group: 3, key: "u", role: "admin", page: later(() => import("../features/users/UsersPage")) },
];

/** The page at this path; none where there is no such page. */
export const pageAt = (path: string): Later<object> | undefined => PAGES.find((place) => matchPath(place.path, path))?.page;

/** What stands in the menu: by group, and within it by address. */
export const MENU: (Place & { menu: string })[] = PAGES.filter((place): place is Place & { menu: string } => place.menu !== undefined).sort(
  (a, b) => (a.group ?? 9) - (b.group ?? 9),
);
