/** Who may be in a pool, and which mode a pool may have: each reason by itself, with the fault that vSphere has for it. */
import { expect, test } from "vitest";
import {
  evcModeNamed,
  features,
  hostAdmission,
  modeChange,
  qemuCpu,
  lostFeatureFindings,
  type Cpu,
  type EvcHost,
  type EvcPool,
} from "../../src/index.ts";
import { cpuWith, less, plainCpu } from "./cpus.ts";

const everything = features.flatMap(({ name, qemuSince }) => (qemuSince === null ? [] : [name]));

/** A host whose software can give all that its hardware has. */
function hostWith(cpu: Cpu | null, change: Partial<EvcHost> = {}): EvcHost {
  return {
    name: cpu?.label ?? "h",
    connected: true,
    cpu,
    qemu: {
      version: "10.0.2",
      accelerator: "kvm",
      cpuModels: ["Conroe-v1", "Westmere-v1", "Haswell-v2", "EPYC-v3"].map((name) => ({
        name,
        unavailableFeatures: [],
      })),
      availableFeatures: everything,
    },
    agentVersion: "0.1.0",
    ...change,
  };
}

const haswellPool: EvcPool = { name: "blue", mode: "intel-haswell@1", microcode: ["md-clear", "spec-ctrl"] };
const haswell = cpuWith("intel-haswell", {
  label: "h1",
  features: ["md-clear", "spec-ctrl"],
  ...{ family: 6, model: 0x3f, stepping: 2 },
  brand: "Intel(R) Xeon(R) CPU E5-2690 v3 @ 2.60GHz",
});

const admit = (
  host: EvcHost,
  more: { running?: [string, string[] | null][]; inPool?: [string, string[]][]; pool?: EvcPool } = {},
) => {
  const { findings, microcode } = hostAdmission({
    pool: more.pool ?? haswellPool,
    host,
    running: (more.running ?? []).map(([vm, seen]) => ({ vm, features: seen })),
    inPool: (more.inPool ?? []).map(([vm, seen]) => ({ vm, features: seen })),
  });
  return { findings, microcode, told: findings.map(({ code, vsphereFault }) => [code, vsphereFault]) };
};

test("a host that has what the mode wants comes in", () => {
  expect(admit(hostWith(haswell))).toMatchObject({ findings: [], microcode: ["md-clear", "spec-ctrl"] });
});

test("a pool without a mode takes every host", () => {
  expect(admit(hostWith(null), { pool: { name: "any", mode: null, microcode: [] } }).findings).toEqual([]);
});

test("the first host of a pool brings its microcode bits", () => {
  const pool = { ...haswellPool, microcode: [], empty: true };
  expect(admit(hostWith(haswell), { pool }).microcode).toEqual(["md-clear", "spec-ctrl"]);
});

test("each reason to keep a host out has a code and a fault of its own", () => {
  const only = (host: EvcHost) => {
    const { told } = admit(host);
    expect(told).toHaveLength(1);
    return told[0];
  };
  expect(only(hostWith(haswell, { connected: false }))).toEqual([
    "EVC_HOST_DISCONNECTED",
    "EVCAdmissionFailedHostDisconnected",
  ]);
  expect(only(hostWith(null))).toEqual(["EVC_HOST_CPU_UNREAD", "EVCAdmissionFailedHostSoftware"]);
  expect(only(hostWith({ ...plainCpu, vendor: "VIA VIA VIA " }))).toEqual([
    "EVC_HOST_VENDOR_UNKNOWN",
    "EVCAdmissionFailedCPUVendorUnknown",
  ]);
  expect(only(hostWith(plainCpu))).toEqual(["EVC_HOST_VENDOR_UNTOLD", "EVCAdmissionFailedCPUVendorUnknown"]);
  expect(only(hostWith(cpuWith("amd-zen")))).toEqual([
    "EVC_HOST_VENDOR_DIFFERS",
    "EVCAdmissionFailedCPUVendor",
  ]);
  const pentium4 = { ...plainCpu, vendor: "GenuineIntel", family: 15, model: 4 };
  expect(only(hostWith(pentium4))).toEqual(["EVC_HOST_HAS_NO_MODE", "EVCAdmissionFailedCPUModel"]);
  const westmere = cpuWith("intel-westmere", { family: 6, model: 0x2c, features: ["md-clear", "spec-ctrl"] });
  expect(only(hostWith(westmere))).toEqual([
    "EVC_HOST_GENERATION_LACKS",
    "EVCAdmissionFailedCPUModelForMode",
  ]);
  expect(only(hostWith(less(haswell, "aes")))).toEqual([
    "EVC_HOST_FEATURES_MISSING",
    "EVCAdmissionFailedCPUFeaturesForMode",
  ]);
  const untold = { ...less(haswell, "pcid"), unknown: new Set(["pcid"]) };
  expect(only(hostWith(untold))).toEqual([
    "EVC_HOST_FEATURES_UNTOLD",
    "EVCAdmissionFailedCPUFeaturesForMode",
  ]);
  expect(only(hostWith(haswell, { qemu: null }))).toEqual([
    "EVC_HOST_QEMU_UNTOLD",
    "EVCAdmissionFailedHostSoftware",
  ]);
});

test("a switch in the firmware is named with the feature's place in CPUID", () => {
  const [finding] = admit(hostWith(less(haswell, "aes"))).findings;
  expect(finding?.host).toBe("h1");
  expect(finding?.message).toBe(
    "Host h1 cannot be in pool blue, which has EVC mode intel-haswell@1: it lacks what the mode requires at CPUID level 0x1, register ecx: aes (bit 25).",
  );
  expect(finding?.remedy).toContain("Look for AES-NI in the firmware settings of h1");
});

test("QEMU that does not know the model, and QEMU that cannot give what the hardware has, are two reasons", () => {
  const { qemu } = hostWith(haswell);
  if (qemu === null) throw new TypeError("no QEMU");
  const old = hostWith(haswell, {
    qemu: { ...qemu, cpuModels: [{ name: "Conroe-v1", unavailableFeatures: [] }] },
  });
  expect(admit(old).told).toEqual([["EVC_HOST_QEMU_OLD", "EVCAdmissionFailedHostSoftwareForMode"]]);
  // xsaveopt is taken away by the mode: that QEMU lacks it is no reason.
  const poor = hostWith(haswell, {
    qemu: { ...qemu, cpuModels: [{ name: "Haswell-v2", unavailableFeatures: ["invpcid", "xsaveopt"] }] },
  });
  const { findings, told } = admit(poor);
  expect(told).toEqual([["EVC_HOST_QEMU_LACKS", "EVCAdmissionFailedHostSoftwareForMode"]]);
  expect(findings[0]?.details["features"]).toMatchObject([
    { feature: "invpcid", place: { level: "0x7", register: "ebx", bit: 10 } },
  ]);
  // What the hardware lacks too is reported once, as the hardware's.
  expect(admit({ ...poor, cpu: less(haswell, "invpcid") }).told).toEqual([
    ["EVC_HOST_FEATURES_MISSING", "EVCAdmissionFailedCPUFeaturesForMode"],
  ]);
});

test("what QEMU's model has beside the mode, and the hardware does not, keeps the host out: no VM would be powered on there", () => {
  const { qemu } = hostWith(haswell);
  if (qemu === null) throw new TypeError("no QEMU");
  const withoutVme = {
    qemu: { ...qemu, cpuModels: [{ name: "Haswell-v2", unavailableFeatures: ["vme"] }] },
  };
  const { findings, told } = admit(hostWith(less(haswell, "vme"), withoutVme));
  expect(told).toEqual([["EVC_HOST_FEATURES_MISSING", "EVCAdmissionFailedCPUFeaturesForMode"]]);
  expect(findings[0]?.details["features"]).toMatchObject([
    { feature: "vme", place: { level: "0x1", register: "edx", bit: 1 } },
  ]);
  expect(admit(hostWith(haswell, withoutVme)).told).toEqual([
    ["EVC_HOST_QEMU_LACKS", "EVCAdmissionFailedHostSoftwareForMode"],
  ]);
});

test("VMs that see more than the mode keep their host out, and so do VMs of which nobody knows", () => {
  const { findings, told } = admit(hostWith(haswell), {
    running: [
      ["db", ["avx2", "adx", "smap", "x2apic", "sse2", "spec-ctrl"]],
      ["web", ["avx2", "md-clear"]],
      ["old", null],
    ],
  });
  expect(told).toEqual([["EVC_HOST_VMS_ABOVE", "EVCAdmissionFailedVmActive"]]);
  expect(findings[0]?.message).toContain("db (adx, smap), old (features not known)");
  expect(findings[0]?.message).not.toContain("web");
});

test("a microcode bit that running VMs see keeps out a host without it; one that nobody sees is dropped, with a warning", () => {
  const host = hostWith(less(haswell, "md-clear"));
  const used = admit(host, { inPool: [["web", ["avx2", "md-clear"]]] });
  expect(used.told).toEqual([["EVC_HOST_MICROCODE_LACKS", "EVCAdmissionFailedCPUFeaturesForMode"]]);
  const unused = admit(host, { inPool: [["web", ["avx2", "spec-ctrl"]]] });
  expect(unused.findings.map(({ code, severity }) => [code, severity])).toEqual([
    ["EVC_POOL_DROPS_MICROCODE", "warning"],
  ]);
  expect(unused.microcode).toEqual(["spec-ctrl"]);
});

test("raising a mode is refused by hosts that lack it, and waits for VMs to be powered on again", () => {
  const pool = { name: "blue", mode: "intel-westmere", microcode: [] };
  const vms = [{ vm: "web", features: evcModeNamed("intel-westmere").features }];
  const raise = (hosts: EvcHost[]) => modeChange({ pool, mode: "intel-haswell", hosts, running: vms });
  const raised = raise([hostWith(haswell)]);
  expect(raised.pendingVms).toEqual(["web"]);
  expect(raised.findings.map(({ code, severity }) => [code, severity])).toEqual([
    ["EVC_MODE_AT_NEXT_POWER_ON", "warning"],
  ]);
  expect(raised.microcode).toEqual(["md-clear", "spec-ctrl"]);
  const westmere = cpuWith("intel-westmere", { label: "w1", family: 6, model: 0x2c });
  const refused = raise([hostWith(haswell), hostWith(westmere)]);
  expect(refused.findings.map(({ host, vsphereFault }) => [host, vsphereFault])).toEqual([
    ["w1", "EVCModeUnsupportedByHosts"],
    [undefined, undefined],
  ]);
  expect(refused.findings[0]?.message).toMatch(
    /^Pool blue cannot have EVC mode intel-haswell@1 because of host w1/,
  );
});

test("lowering a mode is blocked by each running VM that sees more, by name and feature", () => {
  const { findings, pendingVms } = modeChange({
    pool: haswellPool,
    mode: "intel-westmere",
    hosts: [hostWith(haswell)],
    running: [
      { vm: "db", features: ["aes", "avx2", "spec-ctrl"] },
      { vm: "old", features: [...qemuCpu(evcModeNamed("intel-merom")).add, "ssse3"] },
      { vm: "who", features: null },
    ],
  });
  const blocking = findings.filter(({ severity }) => severity === "error");
  expect(
    blocking.map(({ code, vsphereFault, details }) => [
      code,
      vsphereFault,
      details["vm"],
      details["features"],
    ]),
  ).toEqual([
    ["EVC_MODE_VMS_ABOVE", "ActiveVMsBlockingEVC", "db", ["avx2"]],
    ["EVC_MODE_VMS_ABOVE", "ActiveVMsBlockingEVC", "who", null],
  ]);
  expect(pendingVms).toEqual(["old"]);
});

test("a pool changes its vendor only while no VM runs in it", () => {
  const hosts = [hostWith(cpuWith("amd-zen", { label: "z1" }))];
  const change = (running: { vm: string; features: string[] }[]) =>
    modeChange({ pool: haswellPool, mode: "amd-zen", hosts, running }).findings.map(({ code }) => code);
  expect(change([])).toEqual([]);
  expect(change([{ vm: "web", features: [] }])).toEqual(["EVC_MODE_OTHER_VENDOR"]);
});

test("a host that lost features under running VMs raises an alarm with the cause and the VMs", () => {
  const before = cpuWith("intel-haswell", {
    label: "h1",
    family: 6,
    model: 0x3f,
    features: ["rtm", "hle", "md-clear"],
  });
  const after = less(before, "rtm", "hle", "aes");
  const [alarm, ...others] = lostFeatureFindings(before, after, [
    { vm: "db", features: ["rtm", "avx2"] },
    { vm: "web", features: ["avx2"] },
  ]);
  expect(others).toEqual([]);
  expect(alarm).toMatchObject({ code: "HOST_CPU_SHRANK", severity: "error", host: "h1" });
  expect(alarm?.message).toContain("db (rtm)");
  expect(alarm?.message).not.toContain("web");
  expect(alarm?.remedy).toContain("transactional memory (TSX)");
  expect(alarm?.remedy).toContain("AES-NI");
  expect(lostFeatureFindings(before, after, [])[0]?.severity).toBe("warning");
  expect(lostFeatureFindings(before, before, [])).toEqual([]);
  expect(lostFeatureFindings(after, before, [])).toEqual([]);
  // Not told any more is not lost.
  expect(lostFeatureFindings(before, { ...after, unknown: new Set(["rtm", "hle", "aes"]) }, [])).toEqual([]);
});
