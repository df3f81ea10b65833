/** A copy that is played instead of made, with the controller that decides on real ones: for forecasts and comparisons. */
export {
  advance,
  beginModel,
  dirtyOf,
  nextPass,
  transferMs,
  type Guest,
  type Link,
  type ModelState,
  type WorkingSet,
} from "./auto/copy-model.ts";
export { forecast, guestOf, spreadOf, type ForecastFacts } from "./auto/forecast.ts";
export { play, type Played } from "./auto/play.ts";
export { corrected, correctionOf, movesKept, type Correction, type PastMove } from "./auto/correction.ts";
