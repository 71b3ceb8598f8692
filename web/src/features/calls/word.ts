/** A person's word for a call in doubt, as the form holds it and as the server is asked. Pure. */
import type { Shape } from "../../api/client";

export interface Word {
  word: "" | "done" | "absent";
  reason: string;
  /** What the API calls the object, and more that it returned: a `name=value` on each line. */
  id: string;
  more: string;
}
export const NOTHING: Word = { word: "", reason: "", id: "", more: "" };

/** The lines that are no `name=value`, in words; none: it can be sent. */
export function mistakeOf({ more }: Word): string {
  const wrong = lines(more).filter((line) => !/^[A-Za-z_]\w*=/.test(line));
  return wrong.length ? `one name=value on each line; not so: ${wrong[0]}` : "";
}

/** What is sent. An object that is not there returned nothing. */
export function askedOf({ word, reason, id, more }: Word): Shape<"ResolveAsked"> {
  if (word === "") throw new Error("somebody says done or absent before anything is sent");
  const pairs = lines(more).map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const);
  const returns = word === "done" ? Object.fromEntries([...(id.trim() ? [["id", id.trim()] as const] : []), ...pairs]) : {};
  return { word, reason: reason.trim(), returns };
}

const lines = (text: string) => text.split("\n").map((line) => line.trim()).filter(Boolean);
