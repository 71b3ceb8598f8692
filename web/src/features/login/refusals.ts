/** Why the identity provider's answer let nobody in, and whose turn it is; and where a login leads. Pure. */

export interface Refusal {
  says: string;
  todo: string;
}

const REFUSALS: Record<string, Refusal> = {
  away: { says: "The identity provider does not answer.", todo: "Try again in a minute. If it stays away, tell whoever runs it; a password of ludb works meanwhile." },
  denied: { says: "The identity provider let nobody in.", todo: "Log in there with another account, or ask whoever runs it for access to ludb." },
  inactive: { says: "Your user is switched off in ludb.", todo: "Ask an admin of ludb to switch it on again." },
  name: { says: "ludb already has a user of your name, who logs in with a password.", todo: "Log in with that password, or ask an admin to give that user another name." },
  role: { says: "You are known, but none of your groups has a role in ludb.", todo: "Ask whoever runs the identity provider to put you into a group that has one." },
  state: { says: "This login was begun in another browser, or more than ten minutes ago.", todo: "Begin again here." },
  token: { says: "What the identity provider said of you could not be trusted.", todo: "Nothing was changed. Tell an admin of ludb: the audit says what was wrong." },
};

/** None for an address that tells of no refusal. A kind that a newer server may tell of is one as well. */
export function refusalOf(search: string): Refusal | null {
  const kind = new URLSearchParams(search).get("refused");
  if (!kind) return null;
  return REFUSALS[kind] ?? { says: "The login by the identity provider was refused.", todo: "Try again, or ask an admin of ludb: the audit says why." };
}

/** The page that was asked for: this one, unless it is the login's own, which remembers. Never another site. */
export function pageAfter(place: { pathname: string; search: string; hash: string }, remembered: string | null): string {
  if (place.pathname !== "/login") return place.pathname + place.search + place.hash;
  return remembered && /^\/(?![/\\])/.test(remembered) && !remembered.startsWith("/login") ? remembered : "/";
}

/** The provider's door, which brings back to the page. Longer addresses than the server keeps lead to the start. */
export function doorTo(login: string, page: string): string {
  return `${login}?${new URLSearchParams({ next: page.length > 500 ? "/" : page }).toString()}`;
}
