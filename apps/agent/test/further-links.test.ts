/** Further links of the migration network: used where the kernel and QEMU can, and else it is said why not. */
import type { QemuFacts } from "@godwit/contract";
import { pino } from "pino";
import { expect, test } from "vitest";
import { FurtherLinks } from "../src/migration-path/further-links.ts";

const ports = { first: 49_152, last: 49_215 };
const log = pino({ level: "silent" });
const qemu = (multipath: boolean | undefined) => ({
  facts: () => Promise.resolve({ version: "10.0.2", multipath } as QemuFacts),
});

test("a host with one link has no further ones, and nothing is wrong with that", async () => {
  const links = new FurtherLinks({ migration: { address: "10.0.2.11", ports } }, qemu(true), log);
  await links.offer();
  expect([links.areUsed, links.problem]).toEqual([false, null]);
});

test.each([[false], [undefined]])(
  "a QEMU without Multipath TCP (%s) is not asked for it",
  async (multipath) => {
    const migration = { address: "10.0.2.11", also: ["10.0.3.11"], ports };
    const links = new FurtherLinks({ migration }, qemu(multipath), log);
    expect(links.areUsed).toBe(false);
    await links.offer();
    expect([links.areUsed, links.problem]).toEqual([false, "QEMU 10.0.2 has no Multipath TCP"]);
  },
);

test("what cannot be asked for is the reason, and keeps no move from going over the first link", async () => {
  const failing = { facts: () => Promise.reject(new Error("QEMU is not installed")) };
  const migration = { address: "10.0.2.11", also: ["10.0.3.11"], ports };
  const links = new FurtherLinks({ migration }, failing, log);
  await links.offer();
  expect([links.areUsed, links.problem]).toEqual([false, "QEMU is not installed"]);
});
