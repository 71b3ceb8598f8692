/** Light and dark of equal care. State colours are CSS variables, so that charts and bars follow the scheme by themselves. */
import { createTheme, CssBaseline, GlobalStyles, ThemeProvider } from "@mui/material";
import type { ReactNode } from "react";
import { PLAIN } from "./plain";

const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif';

const theme = createTheme({
  cssVariables: { colorSchemeSelector: "data-scheme" },
  colorSchemes: {
    light: { palette: { primary: { main: "#1f5fae" }, background: { default: "#f5f6f8", paper: "#ffffff" } } },
    dark: { palette: { primary: { main: "#7db3f5" }, background: { default: "#101418", paper: "#181d23" } } },
  },
  shape: { borderRadius: 6 },
  typography: {
    fontFamily: SANS,
    fontSize: 13,
    h1: { fontSize: "1.25rem", fontWeight: 600 },
    body1: { fontSize: 13 },
    h2: { fontSize: "0.9rem", fontWeight: 600 },
    button: { textTransform: "none" },
  },
  components: {
    MuiTableCell: { styleOverrides: { root: { fontSize: 13, padding: "6px 10px" } } },
    // A button takes the ring away that every page has for what holds the keyboard; its own sign is motion, which many switch off.
    MuiButtonBase: { styleOverrides: { root: { "&.Mui-focusVisible": { outline: "2px solid var(--s-accent)", outlineOffset: 1 } } } },
    MuiButton: { defaultProps: { size: "small", disableElevation: true } },
    MuiTextField: { defaultProps: { size: "small" } },
    MuiInputBase: { styleOverrides: { root: { fontSize: 13 } } },
    MuiInputLabel: { styleOverrides: { root: { fontSize: 13 } } },
    // A screen of a control room is used; lines longer than that are read by nobody.
    MuiContainer: { styleOverrides: { maxWidthXl: { "@media (min-width:1536px)": { maxWidth: 2200 } } } },
    MuiDialogActions: { styleOverrides: { root: { padding: "8px 24px 20px" } } },
    MuiPaper: { styleOverrides: { root: { backgroundImage: "none" } } },
  },
});

const LIGHT = {
  "--s-done": "#1b7a3d", "--s-quarantined": "#8a5a00", "--s-doubt": "#6d3fc0", "--s-failed": "#b3261e",
  "--s-gone": "#4a6572", "--s-pending": "#5f6672", "--s-paused": "#1f5fae", "--s-accent": "#1f5fae",
  "--bar-rest": "#dfe3e8", "--grid": "#e3e6ea",
};
const DARK = {
  "--s-done": "#5cc98a", "--s-quarantined": "#e0b050", "--s-doubt": "#b79cf2", "--s-failed": "#ff8a80",
  "--s-gone": "#9fb6c1", "--s-pending": "#a3acb8", "--s-paused": "#7db3f5", "--s-accent": "#7db3f5",
  "--bar-rest": "#2c343d", "--grid": "#2a3139",
};

const GLOBAL = {
  ":root": LIGHT,
  '[data-scheme="dark"]': DARK,
  body: { fontVariantNumeric: "tabular-nums", fontSize: 13 },
  "code, pre, .mono, td.mono": { fontFamily: 'ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace', fontSize: 12 },
  a: { color: "var(--s-accent)" },
  ...PLAIN,
  ":focus-visible": { outline: "2px solid var(--s-accent)", outlineOffset: 2 },
  "@media (prefers-reduced-motion: reduce)": { "*": { transition: "none !important", animation: "none !important" } },
};

export function Themed({ children }: { children: ReactNode }) {
  return (
    <ThemeProvider theme={theme} defaultMode="system">
      <CssBaseline />
      <GlobalStyles styles={GLOBAL} />
      {children}
    </ThemeProvider>
  );
}
