/** The one door to the server. Paths, bodies and answers are typed by its own document (`schema.d.ts`, generated). */
import type { components, paths } from "./schema";

type Schemas = components["schemas"];
export type Shape<N extends keyof Schemas> = Schemas[N];
type Method = "get" | "post" | "put" | "patch" | "delete";
type PathsOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never;
}[keyof paths];
type Json<R> = R extends { content: { "application/json": infer T } } ? T : never;
type Answer<P extends keyof paths, M extends Method> =
  paths[P] extends Record<M, { responses: infer R }> ? Json<R[Extract<keyof R, 200 | 201 | 202>]> : never;
type Body<P extends keyof paths, M extends Method> =
  paths[P] extends Record<M, { requestBody?: infer B }> ? Json<NonNullable<B>> : never;

export type Query = Record<string, string | number | boolean | null | undefined>;

/** What the server refused, in its own words: what happened, where, what to do. */
export class Problem extends Error {
  readonly status: number;
  readonly kind: string;
  readonly remedy: string;
  readonly where: string;
  readonly mistakes: Shape<"Mistake">[];

  constructor(status: number, told: Partial<Shape<"ProblemShape">>) {
    super(told.detail || told.title || `the server answered ${status}`);
    this.status = status;
    this.kind = (told.type ?? "").split(":").pop() ?? "";
    this.remedy = told.remedy ?? "";
    this.where = told.where ?? "";
    this.mistakes = told.errors ?? [];
  }
}

let csrf = "";
/** Changes are sent with this from now on. */
export function rememberCsrf(token: string): void {
  csrf = token;
}

/** A path with its names filled in, and the query's values that are set. */
export function address(path: string, names: Record<string, string> = {}, query: Query = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(names[name] ?? ""));
  const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${filled}?${text}` : filled;
}

declare global {
  /** What `first/first.ts` has asked for while scripts were loaded, by address. */
  var asked: Map<string, Promise<Response>> | undefined;
}
/** Milliseconds after the page was begun; what nobody has taken by then is not told any more. */
const EARLY = 10_000;
const SESSION = "/api/v1/session";

/** The answer that was asked for early, once; nothing where there is none, or where it has to be asked for again to be believed. */
async function early(url: string): Promise<Response | undefined> {
  const found = globalThis.asked?.get(url);
  if (!found || performance.now() > EARLY) return undefined;
  globalThis.asked?.delete(url);
  const answer = await found.catch(() => undefined);
  return answer?.ok || url === SESSION ? answer : undefined;
}

async function ask(method: Method, url: string, body?: unknown): Promise<unknown> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "get") headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer: Response;
  try {
    const sent = body === undefined ? null : JSON.stringify(body);
    answer = (method === "get" && (await early(url))) || await fetch(url, { method: method.toUpperCase(), headers, body: sent, credentials: "same-origin" });
  } catch {
    throw new Problem(0, { detail: "the server does not answer", remedy: "This page tries again by itself" });
  }
  if (answer.status === 204) return undefined;
  const told: unknown = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, told as Partial<Shape<"ProblemShape">>);
  return told;
}

export function get<P extends PathsOf<"get">>(
  path: P,
  names?: Record<string, string>,
  query?: Query,
): Promise<Answer<P, "get">> {
  return ask("get", address(path, names, query)) as Promise<Answer<P, "get">>;
}

export function send<M extends Exclude<Method, "get">, P extends PathsOf<M>>(
  method: M,
  path: P,
  names: Record<string, string>,
  body?: Body<P, M>,
): Promise<Answer<P, M>> {
  return ask(method, address(path, names), body) as Promise<Answer<P, M>>;
}
