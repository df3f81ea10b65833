/** Which of all addresses are a VM's, and in which order they are told. */
import { guestAddressesSchema } from "@godwit/contract";
import { expect, test } from "vitest";
import { addressesOf } from "../src/vms/addresses.ts";

const vm = {
  nics: [
    { portGroup: "office", mac: "52:54:00:00:00:01" },
    { portGroup: "backup", mac: "52:54:00:00:00:02" },
  ],
};

test("only addresses of the VM's NICs are told, of each NIC those first by which others reach it", () => {
  const interfaces = [
    { mac: "02:42:00:00:00:01", addresses: ["172.17.0.1"] }, // a bridge in the guest
    { mac: "52:54:00:00:00:02", addresses: ["10.1.0.5"] },
    { mac: "52:54:00:00:00:01", addresses: ["fe80::1", "169.254.1.1", "fd00::5", "10.0.0.5"] },
    { mac: "52:54:00:00:00:01", addresses: ["10.0.0.5", "10.0.0.6"] },
  ];
  const found = addressesOf(vm, interfaces, "guestAgent");
  expect(found.map(({ nic, address, isLinkLocal }) => [nic, address, isLinkLocal])).toEqual([
    [0, "10.0.0.5", false],
    [0, "10.0.0.6", false],
    [0, "fd00::5", false],
    [0, "169.254.1.1", true],
    [0, "fe80::1", true],
    [1, "10.1.0.5", false],
  ]);
  expect(found[5]).toMatchObject({ portGroup: "backup", mac: "52:54:00:00:00:02", source: "guestAgent" });
});

test("a guest that tells without end is cut off, and what is told is of the contract's form", () => {
  const addresses = Array.from(
    { length: 1000 },
    (_, index) => `10.0.${String(index >> 8)}.${String(index & 255)}`,
  );
  const found = addressesOf(vm, [{ mac: "52:54:00:00:00:01", addresses }], "neighbourTable");
  expect(found).toHaveLength(256);
  expect(guestAddressesSchema.safeParse({ addresses: found, withoutGuestAgent: "x" }).success).toBe(true);
});
