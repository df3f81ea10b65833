/**
 * Groups of tests that need what a machine may not have: a program, a device, firmware. Where it is missing they
 * are skipped, and their title says why; `scripts/test.sh` lists them by that reason. Data is never such a thing:
 * what tests read is in the repository.
 */
import { describe, type TestOptions } from "vitest";

/** @param missing what is not there, as in `virsh is not installed`; null: all is there */
export function describeWith(
  title: string,
  missing: string | null,
  tests: () => void,
  options: TestOptions = {},
): void {
  if (missing === null) describe(title, options, tests);
  else describe.skip(`${title} (skipped: ${missing})`, options, tests);
}
