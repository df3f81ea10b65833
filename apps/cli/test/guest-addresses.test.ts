/** A guest's addresses as people ask for them: none is an error that says why, and waiting ends with the first that serves. */
import { expect, test } from "vitest";
import type { Api } from "../src/connection.ts";
import {
  addressesText,
  askAddresses,
  awaitAddresses,
  firstAddress,
  type FoundAddresses,
} from "../src/guest-addresses.ts";

const address = (address: string, isLinkLocal = false) => ({
  ...{ nic: 0, portGroup: "office", mac: "52:54:00:00:00:01", source: "guestAgent" as const },
  ...{ address, isLinkLocal },
});
const found = (more: Partial<FoundAddresses> = {}): FoundAddresses => ({
  ...{ vm: "web-1", host: "a", addresses: [], withoutGuestAgent: null, ...more },
});
/** A server that answers one after the other, and the last for ever. */
const serverOf = (...answers: FoundAddresses[]): Api => {
  const call = () => Promise.resolve(answers.length > 1 ? answers.shift() : answers[0]);
  return { call } as unknown as Api;
};

test("none is told with the reason, and link-local ones alone are none to reach the guest by", async () => {
  const withoutGuestAgent = "its description has no guest agent";
  await expect(askAddresses(serverOf(found({ withoutGuestAgent })), "web-1")).rejects.toThrow(
    "No address of VM web-1 is known: its description has no guest agent, and host a has none",
  );
  const linkLocal = found({ addresses: [address("fe80::1", true)] });
  await expect(askAddresses(serverOf(linkLocal), "web-1")).rejects.toThrow("but link-local ones");
  await expect(awaitAddresses(serverOf(linkLocal), "web-1", 20, 5)).rejects.toMatchObject({
    code: "VM_ADDRESS_UNKNOWN",
  });
});

test("waiting ends with the first address that serves", async () => {
  const last = found({ addresses: [address("fe80::1", true), address("10.0.0.5")] });
  const server = serverOf(found(), found({ addresses: [address("169.254.0.1", true)] }), last);
  expect(await awaitAddresses(server, "web-1", 10_000, 1)).toBe(last);
  expect(firstAddress(last)).toBe("10.0.0.5");
});

test("each address is shown with where it comes from", () => {
  const text = addressesText(
    found({ addresses: [address("10.0.0.5"), { ...address("fe80::1", true), source: "neighbourTable" }] }),
  );
  expect(text).toMatch(/10\.0\.0\.5 +0 +office +52:54:00:00:00:01 +guest agent/);
  expect(text).toMatch(/fe80::1 \(link-local\).*neighbour table of host a/);
});
