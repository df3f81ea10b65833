/** Errors without the schemas: a door of its own, for what must start at once and parses nothing. */
export { catalogue, type ErrorCode, type ErrorDetails } from "./catalogue.ts";
export { theBaseline } from "./baseline-name.ts";
export type { RefusedFeature } from "./cpu.ts";
export type { PlaceReason } from "./device-change.ts";
export type { Retry } from "./define.ts";
export { finding, findingOf, GodwitError, type Finding, type Problem } from "./error.ts";
export type { HostInPool } from "./evc.ts";
export { problemOfUnexpected, spaceShort } from "./unexpected.ts";
