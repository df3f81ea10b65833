/** The one key that does not go to the VM. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { escapeByte, splitAtEscape } from "../src/console/input.ts";

test("everything before Ctrl-] goes to the VM, and nothing after it", () => {
  expect(splitAtEscape(Buffer.from("reboot\r"))).toEqual({ bytes: Buffer.from("reboot\r"), leaves: false });
  expect(splitAtEscape(Buffer.from("ls\x1dexit"))).toEqual({ bytes: Buffer.from("ls"), leaves: true });
  fc.assert(
    fc.property(fc.uint8Array(), (typed) => {
      const { bytes, leaves } = splitAtEscape(Buffer.from(typed));
      expect(leaves).toBe(typed.includes(escapeByte));
      expect(bytes.includes(escapeByte)).toBe(false);
      expect([...typed].slice(0, bytes.length)).toEqual([...bytes]);
    }),
  );
});
