/** A step on a running QEMU that an earlier attempt may have done already. */
import { GodwitError } from "@godwit/contract";

/** @param done what QEMU says when there is nothing to do any more. @throws QMP_REFUSED with anything else */
export async function passing(step: Promise<unknown>, done: RegExp): Promise<void> {
  try {
    await step;
  } catch (error) {
    if (!GodwitError.is(error, "QMP_REFUSED") || !done.test(error.message)) throw error;
  }
}
