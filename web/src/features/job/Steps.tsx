import { Box, Button, Stack, Typography } from "@mui/material";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { useSearchParams } from "react-router-dom";
import { get, type Shape } from "../../api/client";
import { Empty, Panel, Told, Waiting } from "../../shared/parts";

const Code = lazy(() => import("./Code").then(({ Code: page }) => ({ default: page })));
type Step = Shape<"StepShape">;
const MEANS: Record<string, string> = { sql: "step", py: "step, Python", reject: "rule: sets aside", warn: "rule: warns", stop: "rule: stops the run" };
const end = (name: string) => name.split("/").pop() ?? name;

/** What is done with each unit, in order; the text of the one that is opened. Which one stands in the address. */
export function Steps({ job }: { job: Shape<"JobDetailShape"> }) {
  const [params, setParams] = useSearchParams();
  const steps = job.step_list ?? [];
  const open = params.get("file") ?? steps[0]?.name ?? "job.yaml";
  const files = useQuery({ queryKey: ["jobs", job.name, "files", open], queryFn: () => get("/api/v1/jobs/{job}/files", { job: job.name }, { path: open }) });
  const folders = [...new Set(steps.map((step) => step.folder))];
  const show = (name: string) => <FileButton key={name} name={name} open={open === name} set={() => setParams({ file: name }, { replace: true })} />;
  return (
    <Panel title="Steps and rules, in their order">
      {steps.length === 0 && <Empty>This job has no step: its tables move as they are.</Empty>}
      <Box sx={{ display: "grid", gap: 2, gridTemplateColumns: { xs: "minmax(0, 1fr)", md: "minmax(220px, 1fr) minmax(0, 3fr)" } }}>
        <Stack sx={{ gap: 0.25, maxHeight: 520, overflow: "auto" }} component="nav" aria-label="texts of the job">
          {show("job.yaml")}
          {folders.map((folder) => (
            <div key={folder}>
              <Typography component="h3" sx={{ fontSize: 12, fontWeight: 600, mt: 1 }}>{folder || "over the whole unit"}</Typography>
              {steps.filter((step) => step.folder === folder).map((step) => <Stack key={step.name}>{show(step.name)}<Said step={step} /></Stack>)}
            </div>
          ))}
        </Stack>
        <Told query={files} lines={12}>
          {(found) => (found[0] ? <Suspense fallback={<Waiting lines={12} />}><Code path={found[0].path} text={found[0].text} /></Suspense> : <Empty>The job has no such text.</Empty>)}
        </Told>
      </Box>
    </Panel>
  );
}

const Said = ({ step }: { step: Step }) => (
  <Typography component="span" color="text.secondary" sx={{ fontSize: 12, pl: 1 }}>{MEANS[step.kind] ?? step.kind}{step.output && <> → <code>{step.output}</code></>}</Typography>
);

function FileButton({ name, open, set }: { name: string; open: boolean; set: () => void }) {
  return <Button aria-pressed={open} variant={open ? "outlined" : "text"} title={name} onClick={set} sx={{ justifyContent: "flex-start", py: 0.25, px: 1, fontFamily: "monospace", fontSize: 12, textAlign: "left", overflowWrap: "anywhere" }}>{end(name)}</Button>;
}
