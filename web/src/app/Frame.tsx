import { AppBar, Box, Button, Container, Menu, MenuItem, Stack, Toolbar, Typography, useColorScheme } from "@mui/material";
import { useState, type ReactNode } from "react";
import { Link, NavLink } from "react-router-dom";
import { roleMay, useLogout, useSession } from "../api/session";
import { browserZone, zoneName } from "../shared/format";
import { Keys } from "./Keys";
import { MENU } from "./pages";

const SIGN = { system: { sign: "◐", word: "auto" }, dark: { sign: "●", word: "dark" }, light: { sign: "○", word: "light" } } as const;
const NEXT = { system: "dark", dark: "light", light: "system" } as const;

/** The frame of every page: where one is, who one is, light or dark. */
export function Frame({ children }: { children: ReactNode }) {
  const session = useSession();
  const logout = useLogout();
  const { mode, setMode } = useColorScheme();
  return (
    <Box sx={{ minHeight: "100vh", display: "flex", flexDirection: "column" }}>
      <AppBar position="static" color="default" elevation={0} sx={{ borderBottom: 1, borderColor: "divider", bgcolor: "background.paper" }}>
        <Toolbar variant="dense" sx={{ columnGap: 2, flexWrap: "wrap", py: 0.5 }}>
          <Typography component="span" sx={{ fontWeight: 700, fontSize: 16 }}>ludb</Typography>
          <Pages />
          <Box sx={{ flex: 1 }} />
          <Keys />
          <Button onClick={() => setMode(NEXT[mode ?? "system"])} aria-label={`colours: ${SIGN[mode ?? "system"].word}`} title="colours: as the system (auto), dark, light"><span aria-hidden="true">{SIGN[mode ?? "system"].sign}&nbsp;</span>{SIGN[mode ?? "system"].word}</Button>
          <Box component="span" title={`Times are in your zone: ${browserZone()}`} sx={{ color: "text.secondary", display: { xs: "none", sm: "inline" } }}>{zoneName(Date.now() / 1000)}</Box>
          <span>{session.user} ({session.role})</span>
          <Button onClick={() => void logout()}>Log out</Button>
        </Toolbar>
      </AppBar>
      <Container component="main" maxWidth="xl" sx={{ flex: 1, py: 2, px: { xs: 1, sm: 2 } }}>{children}</Container>
      <Typography component="footer" color="text.secondary" sx={{ px: 2, pb: 2, fontSize: 12, textAlign: "center" }}>
        Times are in your zone: {browserZone()}
      </Typography>
    </Box>
  );
}

/** The menu: side by side where there is room, behind one button where there is not. */
function Pages() {
  const { role } = useSession();
  const [at, setAt] = useState<HTMLElement | null>(null);
  const mine = MENU.filter((place) => !place.role || roleMay(role, place.role));
  return (
    <>
      <Stack component="nav" aria-label="pages" direction="row" sx={{ display: { xs: "none", md: "flex" }, flexWrap: "wrap", columnGap: 2, "& a": { color: "text.primary", textDecoration: "none", py: 0.5, borderBottom: "2px solid transparent" }, "& a:hover": { textDecoration: "underline" }, "& a.active": { fontWeight: 700, borderColor: "var(--s-accent)" } }}>
        {mine.map((place, index) => (
          <Box key={place.path} component="span" sx={index > 0 && mine[index - 1]?.group !== place.group ? { borderLeft: 1, borderColor: "divider", pl: 2 } : {}}>
            <NavLink to={place.path} end={place.path === "/"}>{place.menu}</NavLink>
          </Box>
        ))}
      </Stack>
      <Button sx={{ display: { md: "none" } }} aria-haspopup="menu" aria-expanded={at !== null} onClick={(event) => setAt(event.currentTarget)}>Menu</Button>
      <Menu role="navigation" aria-label="pages" anchorEl={at} open={at !== null} onClose={() => setAt(null)}>
        {mine.map((place) => <MenuItem key={place.path} component={Link} to={place.path} onClick={() => setAt(null)}>{place.menu}</MenuItem>)}
      </Menu>
    </>
  );
}
