/** One MAC address on one network is one VM's. */
import type { VmId, VmView } from "@godwit/contract";
import { expect, test } from "vitest";
import { macConflict } from "../src/index.ts";

const mac = "52:54:00:00:00:01";
const view = (name: string, nics: { portGroup: string; mac: string }[]) =>
  ({ id: name as VmId, name, config: { nics } }) as unknown as VmView;

test("a MAC address is refused where another VM has it on the same network, and only there", () => {
  const vm = { id: "web-1", nics: [{ portGroup: "office", mac }] };
  expect(macConflict(vm, [view("web-2", [{ portGroup: "office", mac }])])).toEqual({
    mac,
    network: "office",
    other: "web-2",
  });
  expect(macConflict(vm, [view("web-1", [{ portGroup: "office", mac }])])).toBeNull();
  expect(macConflict(vm, [view("web-2", [{ portGroup: "lab", mac }])])).toBeNull();
  expect(macConflict(vm, [view("web-2", [{ portGroup: "office", mac: "52:54:00:00:00:02" }])])).toBeNull();
});
