/**
 * `npm run rack:story [-- --json FILE]`: bare emulated servers; Godwit is installed on them by the commands of
 * docs/operators/install.md, and a VM moves between them under KVM, there and back, under its client's load. Then one
 * fault after the other is put into its moves. What is claimed is asked of the servers' process tables, of QEMU and of
 * the guest. Needs root, the packages of `npm run package`, and Debian's mirror the first time.
 */
import { join, resolve } from "node:path";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { GodwitError } from "@godwit/contract";
import { buildGuest } from "@godwit/lab";
import { readOptions, wrongUsage } from "../../scripts/options.ts";
import { namespaceOf } from "../src/networks.ts";
import { listRacks } from "../src/rack-file.ts";
import { Rack, removeRack } from "../src/rack.ts";
import { packagesIn, packagesFolder } from "../src/root.ts";
import { defaultServers, hostNames, storageServer } from "../src/server-spec.ts";

const usage = `usage: npm run rack:story -- [--json FILE] [--servers 2] [--trixie NAME]… [--cells none|short|all]
                            [--upgrade FOLDER] [--ways] [--fencing] [--memory 1792] [--nice 5] [--installed] [--keep]
--upgrade first installs the packages in FOLDER, of another version, while the VM runs.
--ways also moves by post-copy, cancels a move, and lets a switch pass its budget.
--fencing also cuts storage and hangs a host under the running VM, and measures when it ends and starts elsewhere.
--installed begins with servers on which the packages are installed already, in minutes less.
--keep leaves the rack up when the story is over or failed; the next story goes on with what is done there.`;
const values = readOptions(usage, {
  json: { type: "string" },
  servers: { type: "string", default: "2" },
  trixie: { type: "string", multiple: true, default: [] },
  cells: { type: "string", default: "short" },
  upgrade: { type: "string" },
  ways: { type: "boolean", default: false },
  fencing: { type: "boolean", default: false },
  memory: { type: "string", default: "1792" },
  nice: { type: "string", default: "5" },
  installed: { type: "boolean", default: false },
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
    await Rack.up({
      id,
      servers: [storageServer(memoryMib), ...defaultServers(count, memoryMib, values.trixie)],
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
    ...(values.upgrade === undefined ? [] : ["--upgrade", resolve(values.upgrade)]),
    ...(values.ways ? ["--ways"] : []),
    ...(values.fencing ? ["--fencing"] : []),
    ...(values.json === undefined ? [] : ["--json", values.json]),
  ];
  const inside = [process.execPath, join(import.meta.dirname, "inside.ts"), "--id", id, ...told];
  const child = spawn("ip", ["netns", "exec", namespaceOf(id), ...inside], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  process.exitCode = code ?? 1;
} catch (error) {
  if (!GodwitError.is(error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  if (!values.keep) await removeRack(id);
}
