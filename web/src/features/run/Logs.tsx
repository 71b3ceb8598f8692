import { Box, Button } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get, type Shape } from "../../api/client";
import { clock } from "../../shared/format";
import { Empty, Panel, Told } from "../../shared/parts";
import { beat, keyOf } from "./live";

/** The end of the logs; it can be held still to be read. */
export function Logs({ run, state, height = 320 }: { run: string; state: Shape<"RunState">; height?: number | string }) {
  const [held, setHeld] = useState(false);
  const logs = useQuery({
    queryKey: keyOf(run, "logs"),
    queryFn: () => get("/api/v1/runs/{run}/logs", { run }, { lines: 100 }),
    refetchInterval: held ? false : beat(state),
  });
  return (
    <Panel title="Log" aside={<Button onClick={() => setHeld(!held)} aria-pressed={held}>{held ? "Follow" : "Hold still"}</Button>}>
      <Told query={logs}>
        {(lines) => lines.length === 0 ? <Empty>No line yet.</Empty> : (
          <Box component="pre" tabIndex={0} role="region" aria-label="log" sx={{ m: 0, maxHeight: height, overflow: "auto", whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
            {[...lines].reverse().map((line) => `${clock(Date.parse(line.at) / 1000)} ${line.level} ${line.file} ${line.event} ${JSON.stringify(line.data)}`).join("\n")}
          </Box>
        )}
      </Told>
    </Panel>
  );
}
