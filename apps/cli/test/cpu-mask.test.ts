/** `godwit cpu mask` as people call it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { evcModes, featureNamed } from "@godwit/cpu";
import { afterAll, expect, test } from "vitest";
import { masksFrom } from "../src/cpu/mask-arguments.ts";

const main = fileURLToPath(new URL("../src/godwit.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "godwit-mask-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function mask(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "cpu", "mask", ...args], {
    encoding: "utf8",
  });
  expect(stdout + stderr).not.toMatch(/^\s+at /m);
  return { status, stdout, stderr };
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Two registers of a Penryn with XSAVE, as `cpuid -1 -r` prints them. */
const penryn = `CPU:
   0x00000000 0x00: eax=0x0000000d ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69
   0x00000001 0x00: eax=0x0001067a ebx=0x00040800 ecx=0x040ce3bd edx=0xbfebfbff
   0x80000000 0x00: eax=0x80000008 ebx=0x00000000 ecx=0x00000000 edx=0x00000000
   0x80000001 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000001 edx=0x20100800
`;

test("a mask is explained bit by bit, with what it hides along", () => {
  const said = mask("explain", "cpuid.1.ecx=----:-0--:----:----:----:----:----:---R");
  expect(said).toMatchObject({ status: 0, stderr: "" });
  expect(said.stdout).toMatch(/^CPUID\.1:ECX\[0\] +pni \(SSE3\) +R +VM +0 +- +source and destination/m);
  expect(said.stdout).toMatch(/^Hidden along with xsave: .*\bavx2\b/m);
});

test("a .vmx file with per-VM EVC is explained as the mode that it is", () => {
  const mode = evcModes.find(({ key }) => key === "intel-westmere");
  const lines = (mode?.features ?? []).map(
    (name) => `featMask.vm.cpuid.${featureNamed(name)?.vmware ?? ""} = "Val:1"`,
  );
  const complete = ['featMask.vm.cpuid.Intel = "Val:1"', ...lines, 'featureCompat.vm.completeMasks = "TRUE"'];
  const vmx = file("evc.vmx", `${complete.join("\n")}\n`);
  expect(mask("explain", vmx).stdout).toContain("This is per-VM EVC: the mode intel-westmere@1.\n");
  expect(JSON.parse(mask("explain", vmx, "--json").stdout)).toMatchObject({ perVmEvc: "intel-westmere@1" });
  const other = file("less.vmx", `${complete.filter((line) => !line.includes("AES")).join("\n")}\n`);
  expect(JSON.parse(mask("explain", other, "--json").stdout)).toMatchObject({ perVmEvc: null });
});

test("a .vmx file is explained for a host, and what keeps the VM from being powered on there ends with 3", () => {
  const vmx = file(
    "vm.vmx",
    'displayName = "old"\ncpuid.1.ecx = "----:--T-:----:----:----:----:----:----"\n',
  );
  const { status, stdout } = mask("explain", vmx, "--file", file("penryn.txt", penryn), "--json");
  expect(status).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({
    vendor: "intel",
    bits: [{ place: "CPUID.1:ECX[25]", feature: "aes", host: 0, character: "T" }],
    findings: [{ code: "MASK_POWER_ON_REFUSED", vsphereFault: "CpuIncompatible1ECX" }],
  });
});

test("masks become flags", () => {
  const mask1 = "cpuid.1.ecx=----:--1-:0---:----:----:----:----:----";
  expect(mask("qemu", "--model", "Nehalem-v1", mask1).stdout).toBe("-cpu Nehalem-v1,+aes,-popcnt,enforce\n");
});

test("what QEMU cannot be told ends with 3", () => {
  const json = mask("qemu", "--model", "Nehalem-v1,+aes", "featMask.vm.cpuid.CET_SS=Val:1", "--json");
  expect(json.status).toBe(3);
  expect(JSON.parse(json.stdout)).toMatchObject({
    argument: "Nehalem-v1,+aes,enforce",
    findings: [{ code: "MASK_NOT_EXPRESSIBLE" }],
  });
});

test("what is no mask ends with 2 and says which character, where", () => {
  expect(mask("explain", "cpuid.1.ecx=---Q")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('"Q" at position 4 (bit 28)') as string,
  });
});

test("what is neither a mask nor a file with masks is reported", async () => {
  const plain = file("plain.vmx", 'displayName = "x"\n');
  await expect(masksFrom([plain])).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringContaining(plain) as string,
  });
  await expect(masksFrom(["nowhere.vmx"])).rejects.toThrow("no KEY=VALUE either");
  const twice = ["cpuid.1.ecx=" + "-".repeat(32), 'CPUID.1.ECX = "' + "X".repeat(32) + '"'];
  await expect(masksFrom(twice)).rejects.toThrow("given twice");
});

const typos = `featMask.vm.cpuid.AES = "Val:0"
featMask.vm.cpuid.AXV = "Val:0"
featMask.vm.cpuid.SSE4_1 = "Val:0"
featMask.vm.cpuid.VT = "Val:1"
`;

test("names that VMware does not have are refused with their lines and what was meant, also in UTF-16", async () => {
  const utf16 = join(folder, "utf16.vmx");
  writeFileSync(utf16, Buffer.from(`\ufeff${typos.replaceAll("\n", "\r\n")}`, "utf16le"));
  for (const path of [file("typos.vmx", typos), utf16]) {
    await expect(masksFrom([path])).rejects.toMatchObject({
      code: "MASK_NAMES_UNKNOWN",
      message: `VMware has no such feature: cpuid.AXV (line 2 of ${path}), probably cpuid.AVX; cpuid.SSE4_1 (line 3 of ${path}), probably cpuid.SSE41; cpuid.VT (line 4 of ${path}), probably cpuid.VMX.`,
    });
  }
  // Of VMware's list, though no feature; and a name that is like none.
  await expect(
    masksFrom(["featMask.vm.cpuid.FAMILY=Val:6", "featMask.vm.cpuid.PHYS_BITS=Val:0x2e"]),
  ).resolves.toBeTruthy();
  await expect(masksFrom(["featMask.vm.cpuid.SOMETHING_OF_2030=Val:0"])).resolves.toBeTruthy();
});

test("per-VM EVC needs no model, and only what changes a model is printed", () => {
  const evc = [
    "Intel",
    ..."CMPXCHG16B DS LAHF64 LM MWAIT NX SS SSE3 SSSE3 SSE41 SSE42 POPCNT RDTSCP AES PCLMULQDQ SSBD IBRS IBPB".split(
      " ",
    ),
  ];
  const lines = evc.map((name) => `featMask.vm.cpuid.${name} = "Val:1"\n`).join("");
  const vmx = file(
    "evc.vmx",
    `${lines}featMask.vm.cpuid.MODEL = "Val:0x25"\nfeatureCompat.vm.completeMasks = "TRUE"\n`,
  );
  const { status, stdout } = mask("qemu", vmx);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^-cpu Westmere-v1,\+rdtscp,\+spec-ctrl,\+ssbd,enforce$/m);
  expect(stdout).toContain("per-VM EVC with the mode intel-westmere@1");
  const plain = mask(
    "qemu",
    "--model",
    "Nehalem-v1",
    "featMask.vm.cpuid.POPCNT=Val:1",
    "featMask.vm.cpuid.AES=Val:1",
  );
  expect(plain.stdout).toMatch(/^-cpu Nehalem-v1,\+aes,enforce$/m);
  expect(mask("qemu", "featMask.vm.cpuid.AES=Val:1")).toMatchObject({ status: 2 });
});
