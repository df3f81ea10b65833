/** Per-VM EVC as vSphere writes it into a .vmx file: each mode is recognised, and nothing else is. */
import { expect, test } from "vitest";
import {
  evcModes,
  featureNamed,
  maskToQemu,
  noMasks,
  parseMasks,
  perVmEvcOf,
  qemuCpu,
  qemuOfPerVmEvc,
  type EvcMode,
} from "../src/index.ts";

const entriesOf = ({ vendor, features }: EvcMode, more: readonly string[] = []): [string, string][] => [
  [`featMask.vm.cpuid.${vendor === "intel" ? "Intel" : "AMD"}`, "Val:1"],
  ["featMask.vm.cpuid.FAMILY", "Val:6"],
  ...[...features, ...more].map((name): [string, string] => [
    `featMask.vm.cpuid.${featureNamed(name)?.vmware ?? ""}`,
    "Val:1",
  ]),
  ["featureCompat.vm.completeMasks", "TRUE"],
];

test.each(evcModes.map((mode) => [mode.key, mode] as const))("%s", (_, mode) => {
  const found = perVmEvcOf(parseMasks(entriesOf(mode)));
  expect(found).toEqual({ mode, microcode: [] });
  expect(found && qemuOfPerVmEvc(found).cpu).toEqual(qemuCpu(mode, []));
});

const westmere = evcModes.find(({ key }) => key === "intel-westmere");
if (westmere === undefined) throw new TypeError("no intel-westmere");

test("microcode features go with it, by the names of VMware for either vendor", () => {
  const names = ["IBRS", "IBPB", "STIBP", "SSBD"].map((name): [string, string] => [
    `featMask.vm.cpuid.${name}`,
    "Val:1",
  ]);
  expect(perVmEvcOf(parseMasks([...entriesOf(westmere), ...names]))?.microcode).toEqual([
    "spec-ctrl",
    "ssbd",
    "stibp",
  ]);
});

test("one feature more or less, a register mask or masks that are not complete are something else", () => {
  const entries = entriesOf(westmere);
  expect(perVmEvcOf(parseMasks(entriesOf(westmere, ["avx"])))).toBeNull();
  expect(perVmEvcOf(parseMasks(entries.filter(([key]) => !key.endsWith(".AES"))))).toBeNull();
  expect(perVmEvcOf(parseMasks(entries.slice(0, -1)))).toBeNull();
  expect(perVmEvcOf(parseMasks([...entries, ["cpuid.1.ecx", "-".repeat(32)]]))).toBeNull();
  expect(perVmEvcOf(noMasks)).toBeNull();
});

test("what KVM shows to no guest is told, and is not asked of QEMU", () => {
  const base = { model: "Westmere-v1", add: [], remove: [] };
  const { cpu, findings } = maskToQemu(
    parseMasks([
      ["featMask.vm.cpuid.MWAIT", "Val:1"],
      ["featMask.vm.cpuid.DS", "Val:1"],
    ]),
    base,
  );
  expect(cpu).toEqual(base);
  expect(findings).toMatchObject([
    { code: "MASK_NOT_EXPRESSIBLE", severity: "warning" },
    { code: "MASK_NOT_EXPRESSIBLE", severity: "warning" },
  ]);
});
