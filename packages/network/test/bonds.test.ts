/** Bonds as the kernel's files tell of them: a tree like those that Linux 6.1 has, for this machine's kernel may have no driver of bonds. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bondBitsPerSecond, readBond } from "../src/bonds.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-bonds-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function tree(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), `${text}\n`);
  }
}

test("a bond's mode, its cards with their state, and the one that carries are read; what is no bond has none", async () => {
  await tree({
    ...{ "bond0/bonding/mode": "active-backup 1", "bond0/bonding/slaves": "eth1 eth2" },
    ...{ "bond0/bonding/active_slave": "eth2", "eth1/bonding_slave/mii_status": "down" },
    ...{ "eth2/bonding_slave/mii_status": "up", "eth3/address": "02:00:00:00:00:01" },
    ...{ "bond1/bonding/mode": "802.3ad 4", "bond1/bonding/slaves": "eth4 eth5" },
    ...{ "bond1/bonding/active_slave": "", "eth4/bonding_slave/mii_status": "up" },
    ...{ "bond2/bonding/mode": "balance-rr 0", "bond2/bonding/slaves": "" },
  });
  expect(await readBond("bond0", folder)).toEqual({
    ...{ mode: "active-backup", active: "eth2" },
    ports: [
      { name: "eth1", up: false },
      { name: "eth2", up: true },
    ],
  });
  expect(await readBond("bond1", folder)).toEqual({
    ...{ mode: "802.3ad", active: null },
    ports: [
      { name: "eth4", up: true },
      { name: "eth5", up: false }, // removed just then
    ],
  });
  expect(await readBond("bond2", folder)).toEqual({ mode: "balance-rr", ports: [], active: null });
  expect([await readBond("eth3", folder), await readBond("none", folder)]).toEqual([null, null]);
});

test("one connection has the speed of one card of a bond, unless its frames are dealt out in turn", () => {
  const up = (...names: string[]) => names.map((name) => ({ name, up: true }));
  const speeds = new Map([
    ["eth1", 10e9],
    ["eth2", 1e9],
    ["eth3", null],
  ]);
  const of = (mode: string, ports: { name: string; up: boolean }[], active: string | null = null) =>
    bondBitsPerSecond({ mode, ports, active }, speeds);
  expect(of("active-backup", up("eth1", "eth2"), "eth1")).toBe(10e9);
  expect(of("active-backup", up("eth1", "eth2"), "eth2")).toBe(1e9);
  expect(of("802.3ad", up("eth1", "eth2"))).toBe(1e9);
  expect(of("802.3ad", [...up("eth1"), { name: "eth2", up: false }])).toBe(10e9);
  expect(of("balance-rr", up("eth1", "eth1"))).toBe(20e9);
  expect(of("802.3ad", up("eth1", "eth3"))).toBe(null);
  expect(of("802.3ad", [{ name: "eth1", up: false }])).toBe(null);
});
