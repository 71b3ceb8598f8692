import { useQuery } from "@tanstack/react-query";
import type { Shape } from "../../api/client";
import { clock, count } from "../../shared/format";
import { Scrolls } from "../../shared/Grid";
import { Empty, Panel, Told } from "../../shared/parts";
import { beat } from "./live";
import { reads } from "./reads";

/** Chunks that are not finished, the most often tried first: what is slow or stuck stands at the top. */
export function Chunks({ run, state }: { run: string; state: Shape<"RunState"> }) {
  const chunks = useQuery({ ...reads.chunks(run), refetchInterval: beat(state) });
  return (
    <Panel title="In flight and stuck">
      <Told query={chunks}>
        {(found) => found.length === 0 ? <Empty>No chunk is in flight, and none waits.</Empty> : (
          <Scrolls label="chunks" height={420}>
            <table className="cells sticky">
              <thead><tr>{["numbers in the list", "state", "attempt", "worker", "error"].map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
              <tbody>
                {found.map((one) => (
                  <tr key={one.id}>
                    <td>{count(one.lo + 1)} – {count(one.hi)}</td>
                    <td>{one.state}{one.not_before ? `, not before ${clock(one.not_before)}` : ""}</td>
                    <td>{one.attempt}</td>
                    <td className="mono">{one.owner || "–"}</td>
                    <td>{one.error || "–"}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scrolls>
        )}
      </Told>
    </Panel>
  );
}
