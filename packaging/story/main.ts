/**
 * `npm run package:story [-- --before FOLDER] [--json FILE]`: two bare Debian machines (12 and 13) with systemd as PID 1, in namespaces of this
 * computer; Godwit is installed on them from results/packages, offline, and used as docs/operators/install.md says:
 * a VM starts, moves there and back, comes onto an upgraded QEMU, and outlives its agent's stop, reinstallation and refused
 * removal; the server is backed up, purged and restored. With packages of the version before, these are installed first, and
 * upgraded while the VM runs and moves. What is claimed is asked of the guest and of the machines' process tables. Needs root,
 * debootstrap and Debian's mirror the first time.
 */
import { copyFile, cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildGuest } from "@godwit/lab";
import { until } from "@godwit/system";
import { readOptions } from "../../scripts/options.ts";
import { debianRoot } from "./debian-root.ts";
import { Machine } from "./machine.ts";
import { Cluster } from "./cluster.ts";
import { tell } from "./story.ts";
import { Switches } from "./switches.ts";

const results = join(import.meta.dirname, "../../results/packages");
const values = readOptions("usage: npm run package:story -- [--before FOLDER] [--json FILE]", {
  before: { type: "string" },
  json: { type: "string" },
});
const began = performance.now();
const say = (text: string): void => {
  process.stdout.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
};

for (const source of [results, ...(values.before === undefined ? [] : [values.before])]) {
  if ((await readdir(source).catch(() => [])).some((name) => name.startsWith("godwit-agent_"))) continue;
  throw new Error(`There are no packages in ${source}: npm run package makes them.`);
}
const suites = { a: "bookworm", b: "trixie" } as const;
const roots = { a: await debianRoot(suites.a, say), b: await debianRoot(suites.b, say) };
const guest = await buildGuest(say);
// Machines, switches and folders go also when somebody ends the story.
const interrupted = Promise.withResolvers<never>();
interrupted.promise.catch(() => undefined);
for (const signal of ["SIGINT", "SIGTERM"] as const)
  // Not once: what ends this program's children with it would take it for nobody's, and end it, too.
  process.on(signal, () => {
    interrupted.reject(new Error(`The story was ended by ${signal}.`));
  });
const folder = await mkdtemp(join(tmpdir(), "godwit-story-"));
try {
  await using stack = new AsyncDisposableStack();
  const switches = stack.use(await Switches.make(`godwit-story-${String(process.pid)}`));
  const shared = join(folder, "shared");
  await mkdir(join(shared, "guest"), { recursive: true });
  await copyFile(guest.kernel, join(shared, "guest/kernel"));
  await copyFile(guest.initrd, join(shared, "guest/initrd"));
  await copyFile(guest.disk, join(shared, "guest/data.qcow2"));
  const packages = join(folder, "packages");
  await cp(results, join(packages, "now"), { recursive: true });
  if (values.before !== undefined) await cp(values.before, join(packages, "before"), { recursive: true });
  const boot = async (name: "a" | "b", number: number) => {
    say(`booting machine ${name} (Debian ${suites[name]})`);
    const options = { name, root: roots[name], folder: join(folder, name), shared, packages };
    const machine = stack.use(await Machine.boot(options));
    await switches.connect(machine, number);
    return machine;
  };
  const cluster = new Cluster(await boot("a", 11), await boot("b", 12), say, async (address) => {
    // A guest that boots tells nobody, and an emulated one on a busy computer takes its time.
    const limits = { everyMs: 1000, limitMs: 600_000 };
    return (await until(async () => await switches.answers(address), limits)) !== null;
  });
  const told = tell(cluster, values.before !== undefined);
  const result = await Promise.race([told, interrupted.promise]).catch(async (error: unknown) => {
    process.stderr.write(await cluster.journals());
    throw error;
  });
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(result, null, 2)}\n`);
  say(
    `all held; godwit-server has exposure ${String(result.exposure.server)}, godwit-agent ${String(result.exposure.agent)}`,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
