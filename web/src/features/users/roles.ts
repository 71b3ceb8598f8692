import type { Role } from "../../api/session";
import type { Shape } from "../../api/client";

/** From the least to the most. */
export const ROLES: Role[] = ["viewer", "operator", "editor", "admin"];

type Token = Pick<Shape<"TokenShape">, "expires_at" | "revoked_at">;

/** Whether a token works now, in words. */
export function standingOf(token: Token, now: number): "works" | "expired" | "revoked" {
  if (token.revoked_at) return "revoked";
  return token.expires_at <= now ? "expired" : "works";
}
