/**
 * Attack: code that took over a QEMU, tried from inside the namespaces of a real one, also with root's rights: what is
 * not there can be read by nobody.
 */
import { readlinkSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@godwit/system";
import { expect, inject, test } from "vitest";
import { confinedTpm } from "../src/confinement.ts";
import { Fixture } from "./fixtures.ts";

const appArmorFolder = "/sys/kernel/security/apparmor";

test("a QEMU has its VM's disk and its run folder, and nothing else of its host's to read or to write", async () => {
  await using fixture = await Fixture.make(inject("qemuBinaries")[0] ?? "");
  const neighbour = join(fixture.folder, "neighbour.qcow2");
  await writeFile(neighbour, "another VM's disk");
  const hypervisor = await fixture.hypervisor("a");
  const process = await hypervisor.start(fixture.spec(false));
  try {
    const { pid } = process.identity;
    const inside = async (...argv: string[]) =>
      await run("nsenter", [`--target=${String(pid)}`, "--mount", "--ipc", "--", ...argv], {
        what: "attacking from inside",
        okCodes: [0, 1, 2],
      });
    for (const kind of ["mnt", "ipc"]) {
      expect(readlinkSync(`/proc/${String(pid)}/ns/${kind}`)).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
    }
    for (const path of ["/etc/passwd", "/etc/shadow", "/var", "/root", "/home", "/old/etc", neighbour]) {
      expect(await inside("cat", path)).toMatchObject({ exitCode: 1, stdout: "" });
    }
    expect((await inside("cat", fixture.diskPath)).exitCode).toBe(0);
    for (const path of ["/here", "/usr/bin/here", "/proc/sys/vm/here", join(fixture.folder, "here")]) {
      expect((await inside("sh", "-c", `echo >${path}`)).exitCode, path).toBe(2);
    }
    const mounts = (await inside("cat", "/proc/self/mounts")).stdout
      .split("\n")
      .map((line) => line.split(" "));
    const writable = mounts
      .filter(([, path = "", , options = ""]) => !path.startsWith("/dev/") && !options.startsWith("ro,"))
      .map(([, path]) => path);
    expect(writable.sort()).toEqual(["/proc", fixture.diskPath, process.paths.folder].sort());
    const limits = (await run("cat", [`/proc/${String(pid)}/limits`], { what: "reading limits" })).stdout;
    expect(limits).toMatch(/Max core file size\s+0\s+0/);
  } finally {
    await process.end();
  }
});

test("where a profile of AppArmor is asked for, setpriv finds the folder that it looks for, and nothing in it", async () => {
  const root = await mkdtemp(join(tmpdir(), "godwit-view-"));
  try {
    for (const isProfiled of [true, false]) {
      const [perl = "", ...words] = confinedTpm(root, isProfiled, []);
      const { exitCode, stdout } = await run(perl, [...words, "/usr/bin/ls", "-A", appArmorFolder], {
        what: "looking at the view",
        okCodes: [0, 2],
      });
      expect([exitCode === 0, stdout]).toEqual([isProfiled, ""]);
    }
  } finally {
    await rm(root, { recursive: true });
  }
});
