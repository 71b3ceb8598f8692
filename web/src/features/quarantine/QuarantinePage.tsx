/** Units that were set aside: by reason, one by one, and tried again. Every filter stands in the address. */
import { Box, Stack } from "@mui/material";
import { useSearchParams } from "react-router-dom";
import { Groups } from "./Groups";
import { Units } from "./Units";

export interface Filter {
  run: string;
  state: string;
  reason: string;
  key: string;
  unit: string;
  /** Part of the reason or the message. */
  error: string;
  /** How long ago at most: a name of `SINCE`. */
  since: string;
}
export type Change = (values: Partial<Filter>) => void;

export default function QuarantinePage() {
  const [params, setParams] = useSearchParams();
  const of = (name: keyof Filter) => params.get(name) ?? "";
  const filter: Filter = { run: of("run"), state: of("state"), reason: of("reason"), key: of("key"), unit: of("unit"), error: of("error"), since: of("since") };
  const change: Change = (values) => {
    const all = Object.entries({ ...filter, ...values }).filter(([, value]) => value);
    setParams(Object.fromEntries(all));
  };
  return (
    <Stack sx={{ gap: 2 }}>
      <h1 style={{ fontSize: "1.25rem", margin: 0 }}>Quarantine</h1>
      <Box sx={{ display: "grid", gap: 2, alignItems: "start", gridTemplateColumns: { xs: "minmax(0, 1fr)", lg: filter.run ? "minmax(0, 2fr) minmax(0, 3fr)" : "minmax(0, 1fr)" } }}>
        <Groups filter={filter} change={change} />
        {filter.run && <Units filter={filter} change={change} />}
      </Box>
    </Stack>
  );
}
