/** A pool's baseline in words. Sets of Godwit's own are used like EVC modes, and are none: their keys say so. */

/** `EVC mode intel-haswell@1`, `common CPU set common-amd-zen5@1`. */
export const baselineName = (mode: string): string =>
  mode.startsWith("common-") ? `common CPU set ${mode}` : `EVC mode ${mode}`;

/** The same with an article where one is needed: `EVC mode intel-haswell@1`, `the common CPU set common-amd-zen5@1`. */
export const theBaseline = (mode: string): string =>
  mode.startsWith("common-") ? `the ${baselineName(mode)}` : baselineName(mode);
