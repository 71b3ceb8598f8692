/** A channel as the form holds it, and as the server is asked. Secrets are names of the server's variables. Pure. */
import type { Shape } from "../../api/client";

export type Channel = Shape<"ChannelShape">;
type Security = Shape<"MailSettings">["security"];
export interface Wanted {
  name: string;
  kind: Channel["kind"];
  least: Shape<"Severity">;
  enabled: boolean;
  url: string;
  secret: string;
  host: string;
  port: string;
  security: Security;
  sender: string;
  to: string;
  user: string;
  password: string;
}

export const EMPTY: Wanted = {
  name: "", kind: "webhook", least: "warning", enabled: true, url: "", secret: "",
  host: "", port: "587", security: "starttls", sender: "", to: "", user: "", password: "",
};
/** Names that the server takes for secrets. */
export const NAME = "\\$\\{LUDB_ALERT_[A-Z0-9_]+\\}";

export function wantedOf({ name, kind, least, enabled, settings }: Channel): Wanted {
  const text = Object.entries(settings).map(([of, value]) => [of, Array.isArray(value) ? value.join(", ") : value === null ? "" : String(value)]);
  return { ...EMPTY, ...Object.fromEntries(text), name, kind, least, enabled };
}

export function asked({ name, kind, least, enabled, ...of }: Wanted): Shape<"ChannelAsked"> {
  const set = (text: string) => text.trim() || null;
  if (kind === "webhook") return { name: name.trim(), least, enabled, webhook: { url: of.url.trim(), secret: set(of.secret) } };
  const to = of.to.split(/[,;\s]+/).filter(Boolean);
  return { name: name.trim(), least, enabled, smtp: { host: of.host.trim(), port: Number(of.port), security: of.security, sender: of.sender.trim(), to, user: set(of.user), password: set(of.password) } };
}

/** Whom it tells: an address, or the people. */
export function tells({ settings }: Channel): string {
  return Array.isArray(settings.to) ? `${settings.to.join(", ")} by ${String(settings.host)}` : String(settings.url ?? "–");
}
