/**
 * `npm run rack:story [-- --json FILE]`: bare emulated servers; Godwit is installed on them by the commands of
 * docs/operators/install.md, and a VM moves between them under KVM, there and back, under its client's load. Then one
 * fault after the other is put into its moves. What is claimed is asked of the servers' process tables, of QEMU and of
 * the guest. Needs root, the packages of `npm run package`, and Debian's mirror the first time.
 */
import { join, resolve } from "node:path";
import { GodwitError } from "@godwit/contract";
import { buildGuest } from "@godwit/lab";
import { readOptions, wrongUsage } from "../../scripts/options.ts";
import { listRacks } from "../src/rack-file.ts";
import { Rack, removeRack } from "../src/rack.ts";
import { runInside } from "../src/run-inside.ts";
import { packagesIn, packagesFolder } from "../src/root.ts";
import { defaultServers, hostNames, storageServer } from "../src/server-spec.ts";
import { chapters, chapterWords } from "./chapters.ts";

const usage = `usage: npm run rack:story -- [--json FILE] [--servers 2] [--trixie NAME]… [--cells none|short|all]
                            [--upgrade FOLDER] [--evc] [--apparmor] [--tagged] [--bond] [--memory-growth] [--without-kvm] [--ways] [--fencing] [--fence-program] [--memory 1792] [--nice 5] [--installed] [--only] [--keep]
--upgrade first installs the packages in FOLDER, of another version, while the VM runs.
--evc makes host a of an older generation than the others, and one pool of them.
--apparmor loads QEMU's AppArmor profile, and moves the VM under it.
--tagged also moves the VM on a port group with a VLAN, on a switch that Godwit makes.
--bond also moves the VM on a switch whose uplink is a bond of two cards, and pulls the cable of one.
--memory-growth adds memory to the VM while it runs, on both hosts, and moves it with what it has written there.
--without-kvm takes the kernel's KVM from a host, and has the VM's move there refused.
--ways also moves by post-copy, cancels a move, and lets a switch pass its budget.
--fencing also cuts storage and hangs a host and its kernel under the running VM, and measures when it ends and starts elsewhere.
--fence-program has the NFS server fence a host that hangs and one that stands still, as the handbook says, while the VM runs there.
--installed begins with servers on which the packages are installed already, in minutes less.
--only leaves out the moves and the limit of CPUs that every story has: for one chapter that is looked at.
--keep leaves the rack up when the story is over or failed; the next story goes on with what is done there.`;
const values = readOptions(usage, {
  json: { type: "string" },
  servers: { type: "string", default: "2" },
  trixie: { type: "string", multiple: true, default: [] },
  cells: { type: "string", default: "short" },
  upgrade: { type: "string" },
  ...chapters,
  memory: { type: "string", default: "1792" },
  nice: { type: "string", default: "5" },
  installed: { type: "boolean", default: false },
  only: { type: "boolean", default: false },
  keep: { type: "boolean", default: false },
});
const id = "story";
const began = performance.now();
const say = (text: string): void => {
  process.stdout.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
};

const count = Number(values.servers);
if (!(count >= 2 && count <= hostNames.length)) wrongUsage(usage, "--servers must be 2 to 8");
if (!["none", "short", "all"].includes(values.cells)) wrongUsage(usage, "--cells must be none, short or all");

try {
  await packagesIn(packagesFolder);
  await buildGuest(say);
  const stands = (await listRacks()).includes(id);
  if (!stands) {
    const memoryMib = Number(values.memory);
    const hosts = { memoryMib, trixie: values.trixie, twoGenerations: values.evc };
    await Rack.up({
      id,
      servers: [storageServer(memoryMib), ...defaultServers(count, hosts)],
      nice: Number(values.nice),
      installed: values.installed,
      onStep: say,
    });
  }
  // It speaks with servers and guests, as a client does: from the rack's networks.
  const told = [
    "--cells",
    values.cells,
    ...(values.installed ? ["--installed"] : []),
    ...(values.only ? ["--only"] : []),
    ...(values.upgrade === undefined ? [] : ["--upgrade", resolve(values.upgrade)]),
    ...chapterWords(values),
    ...(values.json === undefined ? [] : ["--json", values.json]),
  ];
  process.exitCode = await runInside(id, join(import.meta.dirname, "inside.ts"), ["--id", id, ...told]);
} catch (error) {
  if (!GodwitError.is(error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  if (!values.keep) await removeRack(id);
}
