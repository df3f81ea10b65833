/** Owners of real things for tests: each cleans up after itself. */
export { TestLab, type BootOptions } from "./test-lab.ts";
