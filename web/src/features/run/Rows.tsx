import { useQuery } from "@tanstack/react-query";
import type { Shape } from "../../api/client";
import { count } from "../../shared/format";
import { Scrolls } from "../../shared/Grid";
import { Panel, Told } from "../../shared/parts";
import { beat } from "./live";
import { reads } from "./reads";

const ASIDE = ["quarantined", "in_doubt", "rolled_back"];

/** Rows of each table, read and written, by what became of their units; the balance says whether all are accounted for. */
export function Rows({ run, state }: { run: string; state: Shape<"RunState"> }) {
  const rows = useQuery({ ...reads.rows(run), refetchInterval: beat(state, 10_000) });
  return (
    <Panel title="Rows, by table and output">
      <Told query={rows}>
        {(found) => (
          <Scrolls label="rows by table" height={420}>
            <table className="cells sticky">
              <thead><tr>{["table", "planned", "moved", "held back", "balance"].map((name) => <th key={name} scope="col" className={name === "table" ? undefined : "right"}>{name}</th>)}</tr></thead>
              <tbody>
                {found.source.map((table) => <Line key={`s-${table.table}`} table={table} way="read" />)}
                {found.output.map((table) => <Line key={`o-${table.table}`} table={table} way="written" />)}
              </tbody>
            </table>
          </Scrolls>
        )}
      </Told>
    </Panel>
  );
}

function Line({ table, way }: { table: Shape<"TableRowsShape">; way: string }) {
  const held = ASIDE.reduce((sum, state) => sum + (table.by_state[state] ?? 0), 0);
  const balance = table.balances === null ? "" : table.balances ? "✓ adds up" : "✕ does not add up";
  return (
    <tr>
      <td><code>{table.table}</code> {way}</td>
      <td className="right">{count(table.planned)}</td>
      <td className="right">{count(table.by_state.done ?? 0)}</td>
      <td className="right">{count(held)}</td>
      <td className="right">{balance}</td>
    </tr>
  );
}
