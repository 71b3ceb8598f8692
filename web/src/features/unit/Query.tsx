import { Button, Stack, TextField, Typography } from "@mui/material";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { send } from "../../api/client";
import { useSession } from "../../api/session";
import { count } from "../../shared/format";
import { Empty, Failure, Panel } from "../../shared/parts";
import { RowsTable } from "../../shared/RowsTable";

/** A query on the rows of this unit alone; it can change nothing. */
export function Query({ job, unit, run }: { job: string; unit: string; run: string }) {
  const { personal } = useSession();
  const [sql, setSql] = useState("");
  const query = useMutation({ mutationFn: () => send("post", "/api/v1/units/{job}/{key}/sql", { job, key: unit }, { sql, run }) });
  if (!personal) return <Panel title="Ask its rows"><Empty>Queries need the right “personal”: they could tell a value that is masked.</Empty></Panel>;
  const ask = () => { if (sql.trim() && !query.isPending) query.mutate(); };
  const told = query.data;
  return (
    <Panel title="Ask its rows" aside={<span>DuckDB’s SQL; source tables by name, outputs as <code>system.table</code></span>}>
      <form onSubmit={(event) => { event.preventDefault(); ask(); }}>
        <Stack sx={{ gap: 1 }}>
          <TextField
            label="Query"
            multiline
            minRows={3}
            fullWidth
            value={sql}
            placeholder="SELECT sum(amount) FROM invoices"
            onChange={(event) => setSql(event.target.value)}
            onKeyDown={(event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) ask(); }}
            slotProps={{ inputLabel: { shrink: true }, htmlInput: { spellCheck: false, style: { fontFamily: "monospace", fontSize: 13 } } }}
          />
          <Stack direction="row" sx={{ gap: 2, alignItems: "center", flexWrap: "wrap" }}>
            <Button type="submit" variant="contained" disabled={!sql.trim() || query.isPending}>{query.isPending ? "Asking…" : "Ask"}</Button>
            <Typography color="text.secondary">Ctrl + Enter asks. Nothing is changed by it; who asks is noted in the audit.</Typography>
          </Stack>
          {query.error && <Failure error={query.error} />}
          {told && (
            <div role="status">
              {told.note && <p>{told.note}</p>}
              <p>{count(told.rows.length)} {told.rows.length === 1 ? "row" : "rows"}{told.more && ", and more that are not told"}</p>
              {told.rows.length > 0 && <RowsTable label="the answer" rows={told.rows.map((row) => Object.fromEntries(told.columns.map((column, index) => [column.name, row[index]])))} />}
            </div>
          )}
        </Stack>
      </form>
    </Panel>
  );
}
