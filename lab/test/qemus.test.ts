/** Which QEMU a lab's host gets, by path and by version. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeQemus, findQemus, qemuNamed, qemusOfHosts } from "../src/qemu/qemus.ts";

test("a host runs the newest QEMU of the machine, or the one that is named", async () => {
  const folder = await mkdtemp(join(tmpdir(), "godwit-qemus-"));
  try {
    const path = join(folder, "qemu-system-x86_64");
    await writeFile(path, "#!/bin/sh\necho QEMU emulator version 8.2.4 '(v8.2.4)'\n");
    await chmod(path, 0o755);
    const [newest, ...others] = await findQemus();
    if (newest === undefined) throw new Error("no QEMU is installed");
    for (const { version } of others)
      expect(Number.parseFloat(version)).toBeLessThanOrEqual(Number.parseFloat(newest.version));

    const hosts = await qemusOfHosts(["a", "b"], { b: path });
    expect(hosts).toEqual([
      { name: "a", qemu: newest },
      { name: "b", qemu: { binary: path, version: "8.2.4", origin: path } },
    ]);
    expect(describeQemus(hosts)).toContain(`QEMU 8.2.4 (${path}) on b`);
    expect(await qemuNamed(newest.version)).toEqual(newest);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a version that the machine does not have is refused with those that it has; so is a path without a QEMU", async () => {
  const [newest] = await findQemus();
  await expect(qemuNamed("1")).rejects.toMatchObject({
    code: "USAGE",
    remedy: expect.stringContaining(`QEMU ${newest?.version ?? ""}`) as string,
  });
  await expect(qemuNamed("/nowhere/qemu")).rejects.toMatchObject({ code: "USAGE" });
  await expect(qemuNamed("/bin/true")).rejects.toMatchObject({ code: "PROGRAM_FAILED" });
});
