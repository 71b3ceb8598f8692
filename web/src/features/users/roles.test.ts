import { expect, it } from "vitest";
import { standingOf } from "./roles";

it("a token that was revoked is called so, whenever it would have expired", () => {
  const told = [{ expires_at: 20 }, { expires_at: 10 }, { expires_at: 20, revoked_at: 5 }, { expires_at: 5, revoked_at: 4 }];
  expect(told.map((token) => standingOf(token, 10))).toEqual(["works", "expired", "revoked", "revoked"]);
});
