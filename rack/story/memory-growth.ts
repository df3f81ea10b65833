/**
 * Memory that is added while the VM runs under KVM: its guest has it and writes to it, it goes along with moves, more is added on the other host,
 * and after a restart all of it is plain memory. The kernel's limit of the VM's unit is raised with it: in a lab QEMU is in no unit.
 */
import { until } from "@godwit/system";
import type { Server } from "../src/server.ts";
import { switchOff } from "./fencing.ts";
import { askMemoryWriter, placeMemoryWriter } from "./memory-writer.ts";
import { moveTo } from "./moves.ts";
import type { KeptMemory, MemoryGrowthResult } from "./result.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

const bootMib = 256;
const stepMib = 128;
const maxMib = 640;
/** So much of each step that most of it can lie nowhere else. */
const keptMib = 96;
/** The guest takes new memory a moment after it was plugged in. */
const limitMs = 120_000;

export async function memoryGrowth(
  site: Site,
  vm: StoryVm,
  say: (text: string) => void,
): Promise<MemoryGrowthResult> {
  const { host } = await vm.view();
  const other = site.hosts.find(({ name }) => name !== host)?.name ?? "";
  const result: MemoryGrowthResult = { moves: [], guestKib: [], kept: null, problems: [] };
  const must = (holds: boolean, otherwise: string): void => {
    if (holds) return;
    say(`  PROBLEM: ${otherwise}`);
    result.problems.push(otherwise);
  };
  const look = async (when: string, mib?: number): Promise<KeptMemory> => {
    const kept = await askMemoryWriter(vm.address, mib);
    say(
      `  ${when}: ${String(kept.totalKib)} KiB; of ${String(kept.pages)} pages kept ${String(kept.added)} are in added memory, ${String(kept.wrong)} wrong after ${String(kept.written)} writes`,
    );
    must(kept.wrong === 0, `${when} ${String(kept.wrong)} pages are not what was written`);
    must(
      kept.added * 2 >= kept.pages,
      `${when} only ${String(kept.added)} of ${String(kept.pages)} pages are in added memory`,
    );
    return kept;
  };
  const grow = async (toMib: number): Promise<void> => {
    const server = site.rack.server((await vm.view()).host);
    const [before, limitBefore] = [await askMemoryWriter(vm.address), await limitOn(server)];
    await site.command(`godwit vm set ${vm.name} --memory ${String(toMib)}MiB`);
    const wanted = before.totalKib + (stepMib - 8) * 1024;
    const hasIt = async () => (await askMemoryWriter(vm.address)).totalKib >= wanted;
    must(
      (await until(hasIt, { everyMs: 1000, limitMs })) === true,
      `with ${String(toMib)} MiB the guest has no ${String(wanted)} KiB`,
    );
    const { totalKib } = await look(`with ${String(toMib)} MiB`, keptMib);
    result.guestKib.push(totalKib);
    const limit = await limitOn(server);
    must(
      limit - limitBefore >= stepMib * 1024 * 1024,
      `the limit of its unit on ${server.name} went from ${String(limitBefore)} to ${String(limit)} bytes`,
    );
  };
  const move = async (to: string): Promise<void> => {
    const before = await askMemoryWriter(vm.address);
    result.moves.push(await moveTo(site, vm, to, say));
    const after = await look(`after the move to ${to}`);
    must(after.totalKib === before.totalKib, `after the move to ${to} the guest has other memory`);
    must(after.written > before.written, `nothing was written during the move to ${to}`);
    result.kept = after;
  };

  say("giving the VM a maximum of memory");
  await switchOff(site, vm);
  await placeMemoryWriter(site, say);
  await site.command(
    `godwit vm set ${vm.name} --memory ${String(bootMib)}MiB --max-memory ${String(maxMib)}MiB`,
  );
  await site.command(`godwit vm start ${vm.name} --host ${host}`);
  const { totalKib: first } = await askMemoryWriter(vm.address);
  say(`  the guest has ${String(first)} KiB`);
  result.guestKib.push(first);

  await grow(bootMib + stepMib);
  await move(other);
  await move(host);
  // Its agent knows what was added also after it started again.
  await site.rack.server(host).run("systemctl", "restart", "godwit-agent");
  await site.connected();
  await move(other);
  await grow(bootMib + 2 * stepMib);
  await move(host);

  say("stopping and starting the VM");
  const { totalKib: grown } = await askMemoryWriter(vm.address);
  await switchOff(site, vm);
  await site.command(`godwit vm start ${vm.name} --host ${host}`);
  const { totalKib } = await askMemoryWriter(vm.address);
  say(`  the guest has ${String(totalKib)} KiB`);
  result.guestKib.push(totalKib);
  // Its kernel may set some MiB more or less aside.
  must(Math.abs(totalKib - grown) < 32 * 1024, `after a restart the guest has ${String(totalKib)} KiB`);
  const { config } = await vm.view();
  must(config.memoryMib === bootMib + 2 * stepMib, `the VM has ${String(config.memoryMib)} MiB`);
  must(config.memoryDevices === undefined, "its description still has memory devices");
  const argv = await site.rack.server(host).shell(`tr '\\0' ' ' </proc/$(${qemu})/cmdline`);
  must(
    argv.includes(` size=${String(bootMib + 2 * stepMib)}M`) && !argv.includes("pc-dimm"),
    "its QEMU was not started with plain memory",
  );
  return result;
}

const qemu = "pgrep -f 'qemu-system.*-uuid' | head -1";

/** `memory.max` of its QEMU's unit, in bytes; not a number: it has none. */
async function limitOn(host: Server): Promise<number> {
  return Number(
    await host.shell(`cat /sys/fs/cgroup$(sed -n 's/^0:://p' /proc/$(${qemu})/cgroup)/memory.max`),
  );
}
