import { Box, Button, Dialog, DialogActions, DialogContent, DialogTitle, TextField } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router-dom";
import { get } from "../api/client";
import { roleMay, useSession } from "../api/session";
import { Choice } from "../shared/Choice";
import { MENU } from "./pages";
import { pressed, type Pressed } from "./pressed";

/** The keyboard: `/` finds a unit, `g` and a letter go to a page, `?` tells these. */
export function Keys() {
  const [open, setOpen] = useState<"find" | "help" | null>(null);
  const go = useNavigate();
  const { role } = useSession();
  const before = useRef<Pressed>({ key: "", at: 0 });
  const mine = MENU.filter((place) => !place.role || roleMay(role, place.role));
  const places = useRef(mine);
  places.current = mine;
  useEffect(() => {
    const heard = (event: KeyboardEvent) => {
      const at = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || at.closest("input, textarea, select, [role=dialog], [role=menu]")) return;
      const now = { key: event.key, at: event.timeStamp };
      const means = pressed(before.current, now, places.current);
      before.current = now;
      if (means === null) return;
      if (means === "find" || means === "help") setOpen(means);
      else go(means.path);
      event.preventDefault();
    };
    window.addEventListener("keydown", heard);
    return () => window.removeEventListener("keydown", heard);
  }, [go]);
  return (
    <>
      <Button onClick={() => setOpen("find")} aria-keyshortcuts="/">Find a unit</Button>
      {open === "find" && <Find close={() => setOpen(null)} />}
      <Dialog open={open === "help"} onClose={() => setOpen(null)} aria-labelledby="keys-title">
        <DialogTitle id="keys-title">Keys</DialogTitle>
        <DialogContent>
          <Box component="dl" sx={{ display: "grid", gridTemplateColumns: "auto 1fr", columnGap: 2, rowGap: 0.5, m: 0, "& dd": { m: 0 } }}>
            <dt><kbd>/</kbd></dt><dd>find a unit by its key</dd>
            {mine.filter((place) => place.key).map((place) => [<dt key={`${place.path} key`}><kbd>g</kbd> <kbd>{place.key}</kbd></dt>, <dd key={place.path}>{place.menu}</dd>])}
            <dt><kbd>Esc</kbd></dt><dd>close what is open; leave the wall</dd>
            <dt><kbd>?</kbd></dt><dd>these lines</dd>
          </Box>
        </DialogContent>
        <DialogActions><Button autoFocus onClick={() => setOpen(null)}>Close</Button></DialogActions>
      </Dialog>
    </>
  );
}

function Find({ close }: { close: () => void }) {
  const go = useNavigate();
  const jobs = useQuery({ queryKey: ["jobs"], queryFn: () => get("/api/v1/jobs") });
  const names = (jobs.data ?? []).map((job) => job.name);
  const [job, setJob] = useState("");
  const [key, setKey] = useState("");
  const chosen = job || names[0] || "";
  return (
    <Dialog open onClose={close} aria-labelledby="find-title">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!chosen || !key.trim()) return;
          go(`/units/${encodeURIComponent(chosen)}/${encodeURIComponent(key.trim())}`);
          close();
        }}
      >
        <DialogTitle id="find-title">Find a unit</DialogTitle>
        <DialogContent sx={{ display: "flex", flexWrap: "wrap", gap: 1 }}>
          <Box sx={{ pt: 1 }}><Choice label="Job" value={chosen} options={names.map((name) => [name, name])} choose={setJob} /></Box>
          <Box sx={{ pt: 1 }}><TextField label="Unit key" value={key} autoFocus onChange={(event) => setKey(event.target.value)} /></Box>
        </DialogContent>
        <DialogActions>
          <Button onClick={close}>Cancel</Button>
          <Button type="submit" variant="contained" disabled={!chosen || !key.trim()}>Open</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
