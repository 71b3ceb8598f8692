import { TextField } from "@mui/material";
import { useEffect, useState } from "react";

/** Text that is looked for at Enter, or when the field is left; it stands in the address, so it changes with that. */
export function Find({ label, value, find }: { label: string; value: string; find: (text: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const look = () => { if (text.trim() !== value) find(text.trim()); };
  return (
    <form onSubmit={(event) => { event.preventDefault(); look(); }}>
      <TextField label={label} value={text} onChange={(event) => setText(event.target.value)} onBlur={look} slotProps={{ inputLabel: { shrink: true } }} />
    </form>
  );
}
