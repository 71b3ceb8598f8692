import { TextField } from "@mui/material";
import { useEffect, useState } from "react";

/** A value that is set by Enter; leaving the field without Enter takes it back. */
export function Knob({ name, value, set }: { name: string; value: string; set: (value: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <form style={{ flex: 1, minWidth: 0 }} onSubmit={(event) => { event.preventDefault(); if (text !== value) set(text.trim()); }}>
      <TextField
        fullWidth
        label={name}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={() => setText(value)}
        helperText={text === value ? undefined : "Enter to set"}
      />
    </form>
  );
}
