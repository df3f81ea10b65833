/** The image is built, starts in QEMU, and its report is the one that the words it printed give. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCpuSource, reportOf, reportText, type CpuSource } from "@godwit/cpu";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import { buildBootImage, type BootImage } from "../src/index.ts";
import { imageSource } from "../src/rules.ts";
import { BootedImage } from "./booted-image.ts";

const qemu = spawnSync("qemu-system-x86_64", ["--version"]).status === 0;
const noQemu = qemu ? null : "QEMU is not installed";
const firmware = ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd"].find((path) =>
  existsSync(path),
);
const prompt = "Press any key to reboot.\n";

let folder: string;
let image: BootImage;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-boot-image-test-"));
  if (qemu) image = await buildBootImage(join(folder, "report.iso"));
}, 600_000);
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** What stands between the marker lines. */
function dumpIn(serial: string): string {
  const dump = /^-----BEGIN CPUID-----\n([^]*?)^-----END CPUID-----\n/m.exec(serial)?.[1];
  if (dump === undefined) throw new Error(`no dump in: ${serial}`);
  return dump;
}

/** What was printed before the prompt. */
const reportIn = (serial: string): string =>
  serial.slice(serial.indexOf("Reporting CPUID"), serial.indexOf(prompt));

const sourceIn = (serial: string): CpuSource => readCpuSource(dumpIn(serial), imageSource);

describeWith(
  "by BIOS",
  noQemu,
  () => {
    test("a Penryn is reported, and a key on the serial line reboots", async () => {
      await using machine = new BootedImage(image.path, { cpu: "Penryn" });
      await machine.says("-----END CPUID-----\n", 180_000);
      const source = sourceIn(machine.serial);
      expect(reportIn(machine.serial)).toBe(reportText(reportOf(source)));
      expect(reportOf(source)).toMatchObject({
        ...{
          vendor: "GenuineIntel",
          family: 6,
          model: 0x17,
          logicalCpus: 2,
          evcModes: [],
          hypervisor: "TCGTCGTCGTCG",
        },
        sse: ["SSE1", "SSE2", "SSE3", "SSSE3", "SSE4.1"],
      });
      machine.pressSerial("x");
      await machine.rebooted(60_000);
    });

    test("an Opteron is reported from a USB stick, and a key on the keyboard reboots", async () => {
      await using machine = new BootedImage(image.path, { cpu: "Opteron_G2", stick: true });
      await machine.says("-----END CPUID-----\n", 180_000);
      expect(reportIn(machine.serial)).toBe(reportText(reportOf(sourceIn(machine.serial))));
      expect(reportIn(machine.serial)).toContain("Family: 0f Model: 06 Stepping: 1\n");
      expect(reportIn(machine.serial)).toContain("Vendor           : AMD\n");
      // QEMU's emulation gives no CPU all features of a mode; the modes are proven on dumps, in report.test.ts.
      expect(reportIn(machine.serial)).toContain("Supported EVC modes : None\n");
      machine.pressKeyboard("ret");
      await machine.rebooted(60_000);
    });
  },
  { timeout: 300_000 },
);

describeWith(
  "by UEFI",
  noQemu ?? (firmware === undefined ? "Debian's package ovmf is not installed" : null),
  () => {
    test("a Westmere is reported", async () => {
      await using machine = new BootedImage(image.path, { cpu: "Westmere", firmware: firmware ?? "" });
      await machine.says("-----END CPUID-----\n", 240_000);
      expect(reportIn(machine.serial)).toBe(reportText(reportOf(sourceIn(machine.serial))));
      expect(reportOf(sourceIn(machine.serial))).toMatchObject({
        vendor: "GenuineIntel",
        family: 6,
        model: 0x2c,
      });
      expect(reportOf(sourceIn(machine.serial)).features).toContain("aes");
      machine.pressSerial(" ");
      await machine.rebooted(60_000);
    });
  },
  { timeout: 300_000 },
);

describeWith("the image's file", noQemu, () => {
  test("the image is small, replaces an older file, and leaves nothing beside it", async () => {
    expect(image.bytes).toBeLessThan(40 * 1024 * 1024);
    expect(await readdir(folder)).toEqual(["report.iso"]);
  });
});

test("a folder, a device and a missing place are refused before anything is done", async () => {
  const steps: string[] = [];
  const build = (path: string) => buildBootImage(path, { onProgress: (text) => void steps.push(text) });
  await writeFile(join(folder, "file"), "");
  await expect(build(folder)).rejects.toMatchObject({
    code: "USAGE",
    message: `${folder} is a folder, not a file.`,
  });
  await expect(build("/dev/null")).rejects.toMatchObject({
    code: "USAGE",
    message: "/dev/null is a device, not a file.",
  });
  await expect(build(join(folder, "missing/x.iso"))).rejects.toMatchObject({ code: "USAGE" });
  await expect(build(join(folder, "file/x.iso"))).rejects.toMatchObject({ code: "USAGE" });
  await rm(join(folder, "file"));
  expect(steps).toEqual([]);
});
