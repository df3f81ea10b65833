/** How a LUN is named: as the tools that tell of it name it. */
import { expect, test } from "vitest";
import { wwn } from "../src/commands/datastore/add.ts";

const digits = "6001405e8c2f9cc868049749f4e4f851";

test.each([
  ["/dev/disk/by-id", `wwn-0x${digits}`],
  ["lsblk", `0x${digits}`],
  ["multipath -ll and scsi_id", `3${digits}`],
  ["ESXi", `naa.${digits}`],
  ["a storage array", digits.toUpperCase().replace(/(..)(?=.)/g, "$1:")],
  ["an 8-byte WWN of multipath", "35000c500a1b2c3d4"],
])("as %s has it", (_, text) => {
  expect(wwn(text)).toBe(text.startsWith("35000c5") ? "5000c500a1b2c3d4" : digits);
});

test.each(["", "sda", "/dev/sda", "wwn-0x12", `${digits}0`, "0xZZ01405e8c2f9cc8", `${digits} --force`])(
  "%j is none",
  (text) => {
    expect(() => wwn(text)).toThrow("must be a WWN");
  },
);
