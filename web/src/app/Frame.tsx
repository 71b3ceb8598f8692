import { AppBar, Box, Button, Container, Stack, Toolbar, Typography, useColorScheme } from "@mui/material";
import type { ReactNode } from "react";
import { NavLink } from "react-router-dom";
import { May, useLogout, useSession } from "../api/session";
import { browserZone } from "../shared/format";
import { Keys } from "./Keys";

const NEXT = { system: "dark", dark: "light", light: "system" } as const;

/** The frame of every page: where one is, who one is, light or dark. */
export function Frame({ children }: { children: ReactNode }) {
  const session = useSession();
  const logout = useLogout();
  const { mode, setMode } = useColorScheme();
  return (
    <Box sx={{ minHeight: "100vh" }}>
      <AppBar position="static" color="default" elevation={0} sx={{ borderBottom: 1, borderColor: "divider", bgcolor: "background.paper" }}>
        <Toolbar variant="dense" sx={{ gap: 2, flexWrap: "wrap", py: 0.5 }}>
          <Typography component="span" sx={{ fontWeight: 700, fontSize: 16 }}>ludb</Typography>
          <Stack component="nav" aria-label="pages" direction="row" sx={{ gap: 2, "& a.active": { fontWeight: 700, textDecoration: "none" } }}>
            <NavLink to="/" end>Runs</NavLink>
            <NavLink to="/calls">Calls</NavLink>
            <NavLink to="/quarantine">Quarantine</NavLink>
            <May role="operator"><NavLink to="/launch">Launch</NavLink></May>
          </Stack>
          <Box sx={{ flex: 1 }} />
          <Keys />
          <Button onClick={() => setMode(NEXT[mode ?? "system"])} aria-label={`colours: ${mode ?? "system"}`}>{mode ?? "system"}</Button>
          <span>{session.user} ({session.role})</span>
          <Button onClick={() => void logout()}>Log out</Button>
        </Toolbar>
      </AppBar>
      <Container component="main" maxWidth="xl" sx={{ py: 2, px: { xs: 1, sm: 2 } }}>{children}</Container>
      <Typography component="footer" color="text.secondary" sx={{ px: 2, pb: 2, fontSize: 12, textAlign: "center" }}>
        Times are in your zone: {browserZone()}
      </Typography>
    </Box>
  );
}
