/** Who is here, and what they may do. The server decides; this only keeps controls away that it would refuse. */
import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, useContext, type ReactNode } from "react";
import { get, Problem, rememberCsrf, send, type Shape } from "./client";

export type Role = Shape<"Role">;
type Session = Shape<"SessionShape">;
const ORDER: Role[] = ["viewer", "operator", "editor", "admin"];
const Here = createContext<Session | null>(null);

/** Whether somebody of the role `has` may do what needs `needs`. */
export function roleMay(has: Role, needs: Role): boolean {
  return ORDER.indexOf(has) >= ORDER.indexOf(needs);
}

export function useSession(): Session {
  const session = useContext(Here);
  if (!session) throw new Error("a page of the dashboard is shown to somebody who is logged in");
  return session;
}

/** Its children, for those who may; `otherwise`, or nothing, for others. */
export function May({ role, children, otherwise = null }: { role: Role; children: ReactNode; otherwise?: ReactNode }) {
  return roleMay(useSession().role, role) ? children : otherwise;
}

/** The session as the server tells it; null for nobody. */
export const WHO_IS_HERE = queryOptions({
  queryKey: ["session"],
  staleTime: 60_000,
  retry: false,
  queryFn: async (): Promise<Session | null> => {
    try {
      const session = await get("/api/v1/session");
      rememberCsrf(session.csrf);
      return session;
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return null;
      throw error;
    }
  },
});

export const useWhoIsHere = () => useQuery({ ...WHO_IS_HERE, refetchInterval: 60_000 });

export function SessionOf({ session, children }: { session: Session; children: ReactNode }) {
  return <Here.Provider value={session}>{children}</Here.Provider>;
}

/** Ends the session, and forgets all that was read in it. */
export function useLogout(): () => Promise<void> {
  const client = useQueryClient();
  return async () => {
    await send("post", "/api/v1/logout", {});
    client.clear();
    window.location.assign("/");
  };
}
