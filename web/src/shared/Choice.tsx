import { TextField } from "@mui/material";

interface Asked {
  label: string;
  value: string;
  /** Value and word; the value "" is for "all" or "none". */
  options: readonly (readonly [string, string])[];
  choose: (value: string) => void;
  disabled?: boolean;
  /** Without a visible label: in a table, where the column's head says what it is. */
  bare?: boolean;
}

/** One of a few: the browser's own list, which every keyboard and screen reader knows. */
export function Choice({ label, value, options, choose, disabled, bare }: Asked) {
  return (
    <TextField
      select
      label={bare ? undefined : label}
      value={value}
      disabled={disabled}
      onChange={(event) => choose(event.target.value)}
      slotProps={{ select: { native: true }, inputLabel: { shrink: true }, htmlInput: bare ? { "aria-label": label } : {} }}
      sx={{ minWidth: bare ? 110 : 130 }}
    >
      {options.map(([of, word]) => <option key={of} value={of}>{word}</option>)}
    </TextField>
  );
}
