import type { FacetCondition, Variant } from "./manifest-types.ts";

/** True when the variant satisfies the condition (none: always). */
export function fits(condition: FacetCondition | undefined, variant: Variant): boolean {
  if (condition === undefined) return true;
  const { security, dualCore, dualBank } = condition;
  const { facets } = variant;
  return (
    (security === undefined || security === facets.security) &&
    (dualCore === undefined || dualCore === facets.dualCore) &&
    (dualBank === undefined || dualBank === facets.dualBank)
  );
}
