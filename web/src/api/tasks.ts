/** Tasks are carried out by a process of their own: whoever asked looks until it is over. */
import { get, Problem, type Shape } from "./client";

const LOOK_EVERY = 500;

/** The task at its end. `Problem` with the task's own reason if it failed. */
export async function finished(task: Shape<"TaskShape">): Promise<Shape<"TaskShape">> {
  let now = task;
  while (now.state === "waiting" || now.state === "running") {
    await new Promise((go) => setTimeout(go, LOOK_EVERY));
    now = await get("/api/v1/tasks/{task}", { task: now.id });
  }
  if (now.state === "failed") {
    const text = (name: string) => (typeof now.outcome[name] === "string" ? (now.outcome[name] as string) : "");
    throw new Problem(409, { detail: text("error") || text("message") || `the task ${now.name} failed`, remedy: text("remedy") });
  }
  return now;
}
