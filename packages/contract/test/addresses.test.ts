/** One address has one text, and one form in URLs and in QEMU's. */
import { isIPv6 } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { hostAndPort, isLinkLocal, normalAddress, portRangeSchema } from "../src/index.ts";

test("an address is written as the kernel writes it", () => {
  const texts = {
    "10.0.2.11": "10.0.2.11",
    "FD00:2:0:0::0011": "fd00:2::11",
    "2001:db8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
    "::FFFF:10.0.2.11": "10.0.2.11",
    "::ffff:a00:20b": "10.0.2.11",
    "FE80::0:1%eth1": "fe80::1%eth1",
    "::": "::",
    nonsense: "nonsense",
    "1:2": "1:2",
  };
  for (const [text, normal] of Object.entries(texts)) expect(normalAddress(text)).toBe(normal);
  expect(isLinkLocal("fe80::1%eth1")).toBe(true);
  expect(isLinkLocal("10.0.2.11")).toBe(false);
});

test("every text of an IPv6 address comes to one, which is an address and stays", () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const normal = normalAddress(text);
      expect(normalAddress(normal)).toBe(normal);
      expect(normalAddress(text.toUpperCase())).toBe(normal);
      if (normal.includes(":")) expect(isIPv6(normal)).toBe(true);
    }),
  );
});

test("an IPv6 address before a port is in brackets", () => {
  expect(hostAndPort("10.0.2.11", 8444)).toBe("10.0.2.11:8444");
  expect(hostAndPort("fd00:2::11", 8444)).toBe("[fd00:2::11]:8444");
});

test("a range of ports does not run backwards", () => {
  expect(portRangeSchema.safeParse({ first: 49_152, last: 49_215 }).success).toBe(true);
  expect(portRangeSchema.safeParse({ first: 49_215, last: 49_152 }).success).toBe(false);
  expect(portRangeSchema.safeParse({ first: 0, last: 1 }).success).toBe(false);
});
