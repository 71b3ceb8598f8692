import { expect, it } from "vitest";
import { pretty } from "./looks";

it("a body in JSON is drawn in lines, any other is left as it came", () => {
  expect(pretty('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(pretty("<html>503</html>")).toBe("<html>503</html>");
});
