import { Box, Button, Stack } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Shape } from "../../api/client";
import { useFilters } from "../../shared/filters";
import { Empty, Panel, Told } from "../../shared/parts";
import { useLength } from "../../shared/turns";
import { Line, linesIn } from "./Events";
import { beat } from "./live";
import { reads } from "./reads";

const LEVELS = [["", "all"], ["warning", "warnings"], ["error", "errors"]] as const;

/** The end of the logs; it can be held still to be read, and thinned to what is grave. */
export function Logs({ run, state, height = 320 }: { run: string; state: Shape<"RunState">; height?: number | string }) {
  const length = useLength(linesIn(height));
  const [held, setHeld] = useState(false);
  const [asked, change] = useFilters(["level"] as const);
  const level = LEVELS.find(([name]) => name === asked.level)?.[0] ?? "";
  const logs = useQuery({
    ...reads.logs(run, level),
    refetchInterval: held ? false : beat(state),
    placeholderData: (before) => before,
  });
  const aside = (
    <Stack direction="row" role="group" aria-label="lines shown">
      {LEVELS.map(([name, word]) => <Button key={name} aria-pressed={level === name} variant={level === name ? "outlined" : "text"} onClick={() => change({ level: name })}>{word}</Button>)}
      <Button onClick={() => setHeld(!held)} aria-pressed={held}>{held ? "Follow" : "Hold still"}</Button>
    </Stack>
  );
  return (
    <Panel title="Log" aside={aside}>
      <Told query={logs}>
        {(lines) => lines.length === 0 ? <Empty>{level ? "No such line among the newest." : "No line yet."}</Empty> : (
          <Box tabIndex={0} role="region" aria-label="log" sx={{ maxHeight: height, overflow: "auto" }}>
            {[...lines].reverse().slice(0, length).map((line, index) => <Line key={`${line.at} ${line.file} ${index}`} at={Date.parse(line.at) / 1000} level={line.level} name={line.event} data={line.data} />)}
          </Box>
        )}
      </Told>
    </Panel>
  );
}
