/** How long KVM's test guest is waited for: by how long an emulated one takes, so that a slow machine is not a broken one. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { probeFirmware, probeKvm } from "../src/kvm-probe.ts";

/** @param kvm what it does under KVM, in shell; its end with 33 is that of a test guest that ran */
async function withQemu(kvm: string): Promise<AsyncDisposable & { binary: string }> {
  const folder = await mkdtemp(join(tmpdir(), "godwit-probe-test-"));
  const binary = join(folder, "qemu");
  await writeFile(binary, `#!/bin/sh\ncase "$*" in *"-accel kvm"*) ${kvm} ;; *) sleep 2; exit 33 ;; esac\n`);
  await chmod(binary, 0o755);
  return { binary, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

test("on a slow machine the guest under KVM has time in proportion", async () => {
  await using qemu = await withQemu("sleep 4; exit 33");
  expect(await probeKvm(qemu.binary)).toEqual({ works: true, reason: "a test guest ran under KVM" });
});

test("a guest that hangs under KVM is not waited for for ever", async () => {
  await using qemu = await withQemu("exec sleep 1000");
  const { works, reason } = await probeKvm(qemu.binary);
  expect(works).toBe(false);
  expect(reason).toMatch(/^\/dev\/kvm opens, but a test guest did not run under it within \d+ s/);
});

test("QEMU's own words say why KVM cannot be used", async () => {
  await using refused = await withQemu('echo "qemu: Could not access KVM kernel module" >&2; exit 1');
  expect((await probeKvm(refused.binary)).reason).toBe(
    "KVM cannot be used (Could not access KVM kernel module); guests are emulated (TCG)",
  );
  await using killed = await withQemu("kill -ABRT $$");
  expect(await probeKvm(killed.binary)).toMatchObject({ works: false });
});

test("loading a segment of the test guest writes nothing into its firmware, which is read-only", () => {
  const descriptors = [
    ...probeFirmware()
      .toString("hex")
      .matchAll(/ffff000000(9[0-9a-f])[ac]f00/g),
  ];
  // The lowest bit of a descriptor's type: the processor sets it where it is not set.
  expect(descriptors.map(([, type]) => parseInt(type ?? "", 16) & 1)).toEqual([1, 1, 1]);
});
