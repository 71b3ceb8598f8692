/** Who changed what, as charts mark it. Pure. */
import type { Shape } from "../api/client";

export interface Mark {
  at: number;
  text: string;
}

/** What people changed: `workers 4, admin`. */
export function marks(commands: Shape<"CommandShape">[]): Mark[] {
  return commands
    .map((command) => {
      const set = Object.entries(command.arguments).map(([name, value]) => `${name} ${String(value)}`);
      const what = command.name === "set" ? set.join(", ") : command.arguments.now ? `${command.name} now` : command.name;
      return { at: command.done_at ?? command.at, text: `${what}, ${command.by}` };
    })
    .sort((a, b) => a.at - b.at);
}
