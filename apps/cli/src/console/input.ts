/** What is typed at a console: everything goes to the VM, except the key that disconnects. Pure. */

/** Ctrl-], as in telnet and virsh. */
export const escapeByte = 0x1d;

/** @returns what goes to the VM, and whether the user disconnects after it */
export function splitAtEscape(typed: Buffer): { bytes: Buffer; leaves: boolean } {
  const at = typed.indexOf(escapeByte);
  return at < 0 ? { bytes: typed, leaves: false } : { bytes: typed.subarray(0, at), leaves: true };
}
