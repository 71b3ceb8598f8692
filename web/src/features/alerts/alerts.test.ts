import { describe, expect, it } from "vitest";
import { asked, EMPTY, tells, wantedOf, type Channel } from "./channel";
import { changed, labelOf, limitText, thresholdText, toField } from "./limits";
import { matches, standing, WHICH, type Alert, type Asked } from "./which";

const alert = (more: Partial<Alert>): Alert => ({ number: 1, run: "r1", job: "telco", rule: "stalled", severity: "critical", text: "", raised_at: 1, ended_at: null, acknowledged_by: "", acknowledged_at: null, note: "", ...more });
const look = (more: Partial<Asked>): Asked => ({ which: "", severity: "", rule: "", job: "", run: "", ...more });

describe("alerts", () => {
  it("are open, taken care of or past, each in one of these", () => {
    const all = [alert({}), alert({ acknowledged_at: 2, acknowledged_by: "ada" }), alert({ ended_at: 3 }), alert({ ended_at: 3, acknowledged_at: 2, acknowledged_by: "ada" })];
    const shown = Object.fromEntries(WHICH.map(([which]) => [which, all.map((one) => matches(one, look({ which })))]));
    expect(shown).toEqual({ "": [true, true, false, false], open: [true, false, false, false], taken: [false, true, false, false], past: [false, false, true, true], all: [true, true, true, true] });
    expect(WHICH.filter(([which]) => standing(which)).map(([which]) => which)).toEqual(["", "open", "taken"]);
  });
  it("are found by run, job, rule and severity", () => {
    expect([look({ run: "r1" }), look({ run: "r2" }), look({ job: "other" }), look({ severity: "warning" }), look({ rule: "stalled", severity: "critical" })].map((one) => matches(alert({}), one))).toEqual([true, false, false, false, true]);
  });
});

describe("thresholds", () => {
  it("are percent, times and numbers", () => {
    expect([limitText("memory", 0.92), limitText("quarantined", 0.005), limitText("stalled", 600), limitText("quarantined_least", 10)]).toEqual(["92%", "0.5%", "10 m 00 s", "10"]);
    expect([thresholdText("memory", 0.92), thresholdText("slow_for", 300), thresholdText("waiting", 3), labelOf("stalled")]).toEqual(["92% of the memory", "for 5 m 00 s", "3 waiting at least", "No unit for (seconds)"]);
    expect([toField("api_errors", 0.07), toField("lost_for", 1800)]).toEqual(["7", "1800"]);
  });
  it("are sent only where they differ, and not at all where one is no number", () => {
    const now = { cpu: 0.98, cpu_for: 300 };
    expect(changed({ cpu: "98", cpu_for: "300" }, now)).toEqual({});
    expect(changed({ cpu: "95.5", cpu_for: "300" }, now)).toEqual({ cpu: 0.955 });
    expect([changed({ cpu: "", cpu_for: "1" }, now), changed({ cpu: "a lot", cpu_for: "1" }, now)]).toEqual([null, null]);
  });
});

describe("channels", () => {
  const mail: Channel = { id: "1", name: "night shift", kind: "smtp", least: "critical", enabled: false, changed_by: "edi", changed_at: 1, settings: { host: "mail.example.org", port: 465, security: "tls", sender: "l@example.org", to: ["a@example.org", "b@example.org"], user: null, password: "${LUDB_ALERT_MAIL}" } };
  it("are sent back as they came, secrets by their names", () => {
    expect(asked(wantedOf(mail))).toEqual({ name: "night shift", least: "critical", enabled: false, smtp: mail.settings });
    expect(tells(mail)).toBe("a@example.org, b@example.org by mail.example.org");
  });
  it("are a webhook or a mail, never both; what was left empty is not sent", () => {
    expect(asked({ ...EMPTY, name: " chat ", url: " https://chat.example.org/hook ", host: "left over" })).toEqual({ name: "chat", least: "warning", enabled: true, webhook: { url: "https://chat.example.org/hook", secret: null } });
  });
});
