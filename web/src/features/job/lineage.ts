import type { Shape } from "../../api/client";

type Step = Shape<"StepLineageShape">;
type Place = Shape<"PlaceShape">;

/** `legacy.customers.name`; a table that the text leaves open is a question mark. */
export const placeText = (place: Place): string => `${place.table || "?"}.${place.column}`;

/** The steps with the columns that have `wanted` in their own name, or in one of those that they come from. */
export function matching(steps: Step[], wanted: string): Step[] {
  const text = wanted.trim().toLowerCase();
  if (!text) return steps;
  const has = (name: string) => name.toLowerCase().includes(text);
  return steps.flatMap((step) => {
    if (has(step.output)) return [step];
    const columns = (step.columns ?? []).filter((one) => has(one.column) || [...(one.sources ?? []), ...(one.origins ?? [])].some((place) => has(placeText(place))));
    return columns.length > 0 ? [{ ...step, columns }] : [];
  });
}
