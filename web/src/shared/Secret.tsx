import { Alert, Box, Button } from "@mui/material";
import { useState, type ReactNode } from "react";

/** A secret that is shown this once: it can be taken along, and is gone when the page is. */
export function Secret({ what, secret, close }: { what: ReactNode; secret: string; close: () => void }) {
  const [taken, setTaken] = useState(false);
  const take = () => navigator.clipboard?.writeText(secret).then(() => setTaken(true));
  return (
    <Alert severity="success" sx={{ mb: 1.5 }} onClose={close} slotProps={{ closeButton: { "aria-label": "I have it: hide it" } }}>
      {what}, shown this once:
      <Box sx={{ display: "flex", gap: 1, alignItems: "center", mt: 0.5, flexWrap: "wrap" }}>
        <code data-testid="secret" style={{ fontSize: 14, overflowWrap: "anywhere" }}>{secret}</code>
        {navigator.clipboard && <Button variant="outlined" color="inherit" onClick={() => void take()}>{taken ? "Copied" : "Copy"}</Button>}
      </Box>
    </Alert>
  );
}
