/** Debian's package of QEMU is installed anew under a running VM, which is brought onto the new program. */
import { deepStrictEqual as equal, ok } from "node:assert/strict";
import type { Cluster } from "./cluster.ts";

const outdated = "VM_QEMU_OUTDATED";

export async function upgradeQemu(cluster: Cluster): Promise<void> {
  const { a, say } = cluster;
  say("installing QEMU anew below the running VM");
  await a.run("apt-get", "install", "-q", "-y", "--reinstall", "qemu-system-x86");
  const program = () => a.run("sh", "-c", "readlink /proc/$(pgrep qemu-system)/exe");
  ok((await program()).includes("(deleted)"), "QEMU's program was not replaced");
  await cluster.runsOn(a);
  await cluster.untilAlarm(a, outdated, true);
  say("godwit host renew-qemu a");
  const told = await a.run("godwit", "host", "renew-qemu", "a", "--max-outage", "20s");
  ok(told.includes("demo"), told);
  equal((await program()).trim(), "/usr/bin/qemu-system-x86_64");
  await cluster.runsOn(a);
  await cluster.untilAlarm(a, outdated, false);
}
