import { expect, it } from "vitest";
import type { Shape } from "../../api/client";
import { BOX, laidOut } from "./graph";

const table = (name: string, parent: string | null, more: object = {}): Shape<"UnitTableShape"> => ({ name, table: `legacy.${name}`, parent, on: parent ? [["id", "id"]] : [], also: {}, on_stray: "reject", ...more });

it("draws each table beside its parent, no two in one place, and second parents too", () => {
  const drawn = laidOut([table("customers", null), table("contracts", "customers", { on: [["customer", "id"]] }), table("invoices", "customers"), table("payments", "customers", { also: { invoices: [["invoice_id", "invoice_id"]] } })]);
  expect(drawn.nodes.map((node) => [node.name, node.x / BOX.across, node.y / BOX.down])).toEqual([["customers", 0, 0], ["contracts", 1, 0], ["invoices", 1, 1], ["payments", 1, 2]]);
  expect(drawn.edges.map((edge) => [edge.from.name, edge.to.name, edge.on, edge.also])).toEqual([
    ["customers", "contracts", "customer = id", false], ["customers", "invoices", "id", false], ["customers", "payments", "id", false], ["invoices", "payments", "invoice_id", true],
  ]);
  expect(drawn.height).toBe(3 * BOX.down);
});
