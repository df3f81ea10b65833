/** The QEMU of a host is replaced under its running VMs, which come onto the new one by a move away and back. */
import { chmod, cp, mkdtemp, readFile, readlink, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Task } from "@godwit/contract";
import { findQemus, qemuProcessesOf } from "@godwit/lab";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../test-kit/src/describe-with.ts";

const names = ["web-1", "web-2"];
/** With its firmware and modules beside it, so that a copy of its folder is a QEMU of its own. */
const unpacked = (await findQemus()).find(({ binary }) => binary.startsWith("/"));

describeWith("a host's QEMU", unpacked === undefined ? "no QEMU is unpacked for labs" : null, () => {
  let folder: string;
  let lab: TestLab;
  const program = () => join(folder, "libexec/qemu-system-x86_64");
  beforeAll(async () => {
    const original = dirname(dirname(unpacked?.binary ?? ""));
    folder = await mkdtemp(`${original}-replaced-`);
    await chmod(folder, 0o755); // QEMU's user passes through
    for (const name of ["bin", "libexec", "modules", "firmware"])
      await cp(join(original, name), join(folder, name), { recursive: true });
    const binary = join(folder, "bin/qemu-system-x86_64");
    await writeFile(binary, (await readFile(binary, "utf8")).replaceAll(original, folder), { mode: 0o755 });
    lab = await TestLab.start({ hosts: ["a", "b"], qemu: { a: binary } });
    for (const name of names) await lab.boot({ name, on: "a", memoryMib: 192 });
  });
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  /** As a package manager does it: the new file takes the place of the one that runs. */
  const replaceQemu = async () => {
    await cp(program(), `${program()}.new`);
    await rename(`${program()}.new`, program());
  };
  const isOutdated = async () => {
    const { alarms } = await lab.api.call("hostShow", { params: { host: "a" } });
    return alarms.some(({ code }) => code === "VM_QEMU_OUTDATED");
  };
  const renew = () => lab.api.call("hostRenewQemu", { params: { host: "a" }, body: { maxOutageMs: 10_000 } });
  /** The programs that the VMs' processes run, asked of the machine. */
  const programs = async () => {
    const all = await qemuProcessesOf(lab.lab);
    return (await Promise.all(all.map(({ pid }) => readlink(`/proc/${String(pid)}/exe`)))).sort();
  };

  test("all its VMs come onto the new one, also when the server is killed on the way", async () => {
    await replaceQemu();
    expect((await programs()).every((path) => path.endsWith("(deleted)"))).toBe(true);
    await expect.poll(isOutdated, { timeout: 60_000 }).toBe(true);
    const { id } = await renew();
    await lab.until(id, ({ steps }) => steps.some(({ detail }) => detail !== null));
    await lab.lab.server.end();
    await lab.lab.server.start();
    const ended = await lab.ended({ id } as Task);
    expect(ended).toMatchObject({ state: "succeeded", result: { renewed: names } });
    for (const name of names) expect(await lab.runnersOf(await lab.vm(name))).toEqual(["a"]);
    expect(await programs()).toEqual(names.map(program));
    await expect.poll(isOutdated, { timeout: 60_000 }).toBe(false);
    expect((await lab.succeeded(renew())).result).toEqual({ renewed: [] });
    expect(await lab.settled(names.length)).toEqual([]);
  });

  test("cancelled, it brings the VM that is away back, and leaves the other as it is", async () => {
    await replaceQemu();
    const { id } = await renew();
    await lab.until(id, ({ steps }) => steps.some(({ detail }) => detail !== null));
    await lab.api.call("taskCancel", { params: { task: id } });
    const ended = await lab.ended({ id } as Task);
    expect(ended).toMatchObject({
      ...{ state: "cancelled", error: { code: "QEMU_RENEWAL_CANCELLED" } },
      error: { details: { renewed: ["web-1"], left: ["web-2"] } },
    });
    for (const name of names) expect(await lab.runnersOf(await lab.vm(name))).toEqual(["a"]);
    expect((await programs()).filter((path) => path.endsWith("(deleted)"))).toHaveLength(1);
    expect(await lab.settled(names.length)).toEqual([]);
  });
});
