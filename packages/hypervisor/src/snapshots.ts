/**
 * Snapshots of a running QEMU, inside of its qcow2 images under one tag. Those of the disks alone are one transaction: the requests
 * of each disk are held back until all have theirs, and none keeps one if one fails. With memory QEMU stops the vCPUs, writes memory
 * into the first disk's image, and lets them run again by itself, whatever becomes of the agent meanwhile.
 */
import type { VmDisk } from "@godwit/contract";
import { Wakeup } from "@godwit/system";
import { insertedIn } from "./disk-nodes.ts";
import { passing } from "./passing.ts";
import type { QemuProcess } from "./qemu-process.ts";

/** QEMU answers nothing while it writes tables or memory. */
const limitMs = 6 * 3600 * 1000;
const lookEveryMs = 1000;

/** @throws QMP_REFUSED: none was made; QMP_INTERRUPTED */
export async function snapshotDisks(process: QemuProcess, tag: string): Promise<void> {
  const actions = (await nodesOf(process)).map(({ node }) => ({
    type: "blockdev-snapshot-internal-sync",
    data: { device: node, name: tag },
  }));
  await process.qmp.execute("transaction", { actions }, { timeoutMs: limitMs });
}

/** The guest stands still meanwhile. @throws Error: none was made; QMP_REFUSED, QMP_INTERRUPTED */
export async function snapshotWithMemory(process: QemuProcess, tag: string): Promise<void> {
  await job(process, "snapshot-save", tag);
}

/** Disks that have none stay as they are. @throws QMP_REFUSED, QMP_INTERRUPTED */
export async function deleteSnapshot(process: QemuProcess, tag: string): Promise<void> {
  for (const { node, tags } of await nodesOf(process)) {
    if (!tags.includes(tag)) continue;
    const step = process.qmp.execute(
      "blockdev-snapshot-delete-internal-sync",
      { device: node, name: tag },
      { timeoutMs: limitMs },
    );
    await passing(step, /does not exist|not found/i);
  }
}

/** Makes disks, devices and memory those of the snapshot, in a QEMU that has not let its guest run. @throws Error: the guest must not run */
export async function loadSnapshot(process: QemuProcess, tag: string): Promise<void> {
  await job(process, "snapshot-load", tag);
}

async function job(
  process: QemuProcess,
  command: "snapshot-save" | "snapshot-load",
  tag: string,
): Promise<void> {
  const id = `${command}-${tag}`;
  const { qmp } = process;
  const nodes = (await nodesOf(process)).map(({ node }) => node);
  const told = new Wakeup();
  using _events = process.onEvent(({ name, data }) => {
    if (name === "JOB_STATUS_CHANGE" && data.id === id) told.wake();
  });
  // What an earlier attempt with the same tag has left.
  await passing(qmp.execute("job-dismiss", { id }), /not found/i);
  await qmp.execute(command, { "job-id": id, tag, vmstate: nodes[0], devices: nodes });
  for (;;) {
    const jobs = await qmp.execute("query-jobs", {}, { timeoutMs: limitMs });
    const now = jobs.find((one) => one.id === id);
    if (now === undefined) throw new Error("QEMU does not know of its job any more");
    if (now.status === "concluded") {
      await qmp.execute("job-dismiss", { id });
      if (now.error !== undefined) throw new Error(now.error);
      return;
    }
    await told.next(lookEveryMs);
  }
}

/** Where each disk is now, and the tags in its image. */
async function nodesOf(process: QemuProcess): Promise<{ node: string; tags: string[] }[]> {
  const blocks = await process.qmp.execute("query-block");
  return process.spec.vm.disks.map(({ name }: VmDisk) => {
    const inserted = insertedIn(blocks, name);
    const node = inserted?.["node-name"];
    if (inserted === undefined || node === undefined) throw new Error(`QEMU has no disk ${name}`);
    return { node, tags: (inserted.image.snapshots ?? []).map((one) => one.name) };
  });
}
