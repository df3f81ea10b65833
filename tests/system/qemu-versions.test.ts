/**
 * Moves between hosts of the same QEMU and of different ones, under a client's load. The source's version decides
 * how an emulated guest's memory is copied: in one pass before QEMU 9.0, in several since. The machine type decides
 * where a VM can go: to any QEMU that knows it, also to an older one.
 */
import { moveOf, newestMachine } from "@godwit/contract";
import { findQemus } from "@godwit/lab";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";
import { describeWith } from "../../test-kit/src/describe-with.ts";

/** Debian 12's own, and that of its backports and of Debian 13. */
const old = "7.2";
const recent = "10.0";
const present = await findQemus();
/** null: this machine has all of them. */
function missing(...names: string[]): string | null {
  const absent = names.filter((name) => !present.some(({ version }) => version.startsWith(`${name}.`)));
  return absent.length === 0 ? null : `not installed: QEMU ${absent.join(", QEMU ")}`;
}
/** QEMU counts the last pass too, which it sends while the guest stands still. */
const passesOfOld = 2;

const start = async (a: string, b: string) => await TestLab.start({ hosts: ["a", "b"], qemu: { a, b } });
const migrate = (lab: TestLab, vm: string, to: string, maxOutageMs?: number) =>
  lab.api.call("vmMigrate", {
    params: { vm },
    body: { to, ...(maxOutageMs === undefined ? {} : { maxOutageMs }) },
  });

const machinesOf = async (lab: TestLab, host: string): Promise<string[]> =>
  (await lab.api.call("hostShow", { params: { host } })).facts?.qemu.machines ?? [];

/** There and back, with nothing lost. */
async function moveUnderLoad(lab: TestLab, versions: { a: string; b: string }): Promise<void> {
  const vm = await lab.boot({ on: "a" });
  await using load = await lab.load();
  for (const [from, to] of [
    ["a", "b"],
    ["b", "a"],
  ] as const) {
    // The older copies in one pass only. On a busy machine an emulated guest changes much of its memory in it.
    const maxOutageMs = versions[from] === old ? 20_000 : undefined;
    const move = moveOf(await lab.succeeded(migrate(lab, vm.name, to, maxOutageMs)));
    expect(await lab.runnersOf(vm)).toEqual([to]);
    if (versions[from] === old) expect(move?.rounds).toBeLessThanOrEqual(passesOfOld);
    else expect(move?.rounds).toBeGreaterThan(passesOfOld);
  }
  expect(await load.finish([])).toMatchObject({ connections: 1, reconnects: 0, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
}

describeWith(`QEMU ${old} on both hosts`, missing(old), () => {
  test("a VM moves there and back in one pass, and is refused where the pause would pass the budget", async () => {
    await using lab = await start(old, old);
    await moveUnderLoad(lab, { a: old, b: old });
    const task = await lab.ended(migrate(lab, "web-1", "b", 1));
    expect(task).toMatchObject({ state: "failed", error: { code: "MOVE_COPY_UNSAFE" } });
    expect(await lab.runnersOf(await lab.vm("web-1"))).toEqual(["a"]);
    expect(await lab.settled(1)).toEqual([]);
  });
});

describeWith(`QEMU ${old} and QEMU ${recent}`, missing(old, recent), () => {
  test("a VM created on the older moves to the newer and back; one created on the newer does not come to the older", async () => {
    await using lab = await start(old, recent);
    await moveUnderLoad(lab, { a: old, b: recent });
    await lab.succeeded(lab.api.call("vmStop", { params: { vm: "web-1" }, body: { graceSeconds: 0 } }));
    // Made on the newer, a VM is one that the older knows, unless it is asked for.
    const plain = await lab.create({ name: "web-3", on: "b", memoryMib: 64 });
    expect(plain.config.machine).toBe((await lab.vm("web-1")).config.machine);
    const machine = newestMachine([await machinesOf(lab, "b")]) ?? "";
    const newer = await lab.boot({ name: "web-2", on: "b", memoryMib: 192, machine });
    await expect(migrate(lab, "web-2", "a")).rejects.toMatchObject({
      code: "MOVE_REFUSED",
      problem: {
        findings: expect.arrayContaining([
          expect.objectContaining({ code: "DESTINATION_QEMU_OLDER" }),
        ]) as unknown,
      },
    });
    expect(await lab.runnersOf(newer)).toEqual(["b"]);
    expect(await lab.settled(1)).toEqual([]);
  });
});

describeWith(`QEMU ${recent} on both hosts`, missing(recent), () => {
  test("a VM moves there and back in several passes", async () => {
    await using lab = await start(recent, recent);
    await moveUnderLoad(lab, { a: recent, b: recent });
  });
});
