import { Button, Dialog, DialogContent, DialogTitle, TextField } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router-dom";
import { get } from "../api/client";

const GO: Record<string, string> = { r: "/", q: "/quarantine", l: "/launch" };

/** The keyboard: `/` finds a unit, `g r`, `g q` and `g l` go to a page, `?` tells these. */
export function Keys() {
  const [open, setOpen] = useState<"find" | "help" | null>(null);
  const go = useNavigate();
  const before = useRef("");
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const at = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || at.closest("input, textarea, select, [role=dialog]")) return;
      const target = before.current === "g" ? GO[event.key] : undefined;
      before.current = event.key;
      if (target) go(target);
      else if (event.key === "/") setOpen("find");
      else if (event.key === "?") setOpen("help");
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [go]);
  return (
    <>
      <Button onClick={() => setOpen("find")}>Find a unit</Button>
      {open === "find" && <Find close={() => setOpen(null)} />}
      <Dialog open={open === "help"} onClose={() => setOpen(null)} aria-labelledby="keys-title">
        <DialogTitle id="keys-title">Keys</DialogTitle>
        <DialogContent>
          <p><kbd>/</kbd> find a unit by its key</p>
          <p><kbd>g</kbd> <kbd>r</kbd> runs · <kbd>g</kbd> <kbd>q</kbd> quarantine · <kbd>g</kbd> <kbd>l</kbd> launch</p>
          <p><kbd>?</kbd> these lines</p>
        </DialogContent>
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
      <DialogTitle id="find-title">Find a unit</DialogTitle>
      <DialogContent>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (chosen && key) go(`/units/${encodeURIComponent(chosen)}/${encodeURIComponent(key)}`);
            close();
          }}
        >
          <TextField select label="Job" value={chosen} onChange={(event) => setJob(event.target.value)} slotProps={{ select: { native: true } }} sx={{ my: 1, mr: 1 }}>
            {names.map((name) => <option key={name}>{name}</option>)}
          </TextField>
          <TextField label="Unit key" value={key} autoFocus onChange={(event) => setKey(event.target.value)} sx={{ my: 1 }} />
        </form>
      </DialogContent>
    </Dialog>
  );
}
