/** What is typed at a console: everything goes to the VM but the key that leaves. Pure. */

/** Ctrl-], as in telnet and virsh. */
export const escapeByte = 0x1d;

/** @returns what goes to the VM, and whether the user leaves after it */
export function splitAtEscape(typed: Buffer): { bytes: Buffer; leaves: boolean } {
  const at = typed.indexOf(escapeByte);
  return at < 0 ? { bytes: typed, leaves: false } : { bytes: typed.subarray(0, at), leaves: true };
}
