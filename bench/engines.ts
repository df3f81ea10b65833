/**
 * Engines against each other: the same guest on the same QEMU and links, moved by Godwit as an operator uses it, by virsh with its
 * defaults and with its best flags, and by a bare QMP driver. Moves of the engines are interleaved. Figures are of this machine
 * and this hour; what the guest's writer really reached is among them.
 */
import { readFile, writeFile } from "node:fs/promises";
import { findQemus, type GuestImage } from "@godwit/lab";
import { TestLab } from "@godwit/test-kit";
import { bareEngine, BareGuest } from "./engines/bare.ts";
import { bareVariants } from "./engines/bare-variants.ts";
import { cellOf, cellsText, type Cell, type Move } from "./engines/cell.ts";
import { measureMove, type Engine } from "./engines/engine.ts";
import { godwitEngine } from "./engines/godwit.ts";
import { ComparisonGuest } from "./engines/guest/build.ts";
import { allGuests, quickGuests } from "./engines/loads/all.ts";
import type { GuestLoad } from "./engines/loads/load.ts";
import { cellsPlot } from "./engines/plot.ts";
import { virshEngines } from "./engines/virsh.ts";
import { measure } from "./measure/interruption.ts";
import { LibvirtPeer } from "./peer/libvirt-peer.ts";
import { requireLibvirt } from "./peer/packages.ts";
import { numberOf, readOptions } from "../scripts/options.ts";

const usage = `usage: npm run bench:moves -- [--quick] [--runs N] [--guest NAME]… [--link NAME]… [--engine NAME]… --json FILE

  --quick        fewer guests and one run, within 20 minutes on a quiet machine
  --runs N       moves of each engine in each cell (3; 1 with --quick)
  --guest NAME   only these guests, like idle, writer-64-20, redis or compiler-4cpu
  --link NAME    only these links: 100mbit, 1gbit, unshaped
  --engine NAME  only these engines; beyond godwit, virsh-default, virsh-best, proxmox-like and qmp-bare there are
                 qmp-tls, qmp-multifd, qmp-multifd-tls, qmp-multifd-zstd and qmp-xbzrle
  --svg FILE     the plot (default: the JSON's name with .svg)
  --json FILE    the cells`;

const values = readOptions(usage, {
  quick: { type: "boolean", default: false },
  runs: { type: "string" },
  guest: { type: "string", multiple: true, default: [] },
  link: { type: "string", multiple: true, default: [] },
  engine: { type: "string", multiple: true, default: [] },
  svg: { type: "string" },
  json: { type: "string" },
});

const guestsOf = (names: readonly string[]) => allGuests.filter(({ name }) => names.includes(name));
/**
 * Bits per second of the lab's link, and a ceiling that each engine is given for its copy: Godwit refuses a migration network of
 * less than 1 Gbit/s.
 */
const links: Readonly<Record<string, { shapedTo: number | null; ceilingMbps: number | null }>> = {
  "100mbit": { shapedTo: 1e9, ceilingMbps: 100 },
  "1gbit": { shapedTo: 1e9, ceilingMbps: null },
  unshaped: { shapedTo: null, ceilingMbps: null },
};

const runs = values.runs === undefined ? (values.quick ? 1 : 3) : numberOf(usage, "--runs", values.runs);
const pick = (all: readonly string[], named: readonly string[]) =>
  named.length === 0 ? all : all.filter((one) => named.includes(one));
const guests =
  values.guest.length > 0 ? guestsOf(values.guest) : values.quick ? guestsOf(quickGuests) : allGuests;
if (guests.length < values.guest.length) {
  console.error(`No such guest; there are ${allGuests.map(({ name }) => name).join(", ")}.`);
  process.exit(2);
}
const linkNames = pick(values.quick ? ["1gbit", "100mbit"] : Object.keys(links), values.link);
const engineNames =
  values.engine.length > 0
    ? values.engine
    : ["godwit", "virsh-default", "virsh-best", "proxmox-like", "qmp-bare"];

/** Which of them the whole comparison has a move of that takes longer is given up, and has not ended. */
const limitMs = values.quick ? 60_000 : 180_000;
/** A guest with what the loads take beside its own. */
const memoryMib = Math.max(...guests.map(({ mib }) => mib + 320));
const wanted = "10.0";
const userfaultfd = "/proc/sys/vm/unprivileged_userfaultfd";

const say = (text: string) => {
  console.error(text);
};

await measure(async (interrupted) => {
  if (engineNames.some((name) => name.startsWith("virsh"))) await requireLibvirt();
  const qemu = (await findQemus()).find(({ version }) => version.startsWith(`${wanted}.`));
  if (qemu === undefined)
    throw new Error(`This machine has no QEMU ${wanted}; ./godwit setup installs it for labs.`);
  const allowedBefore = await readFile(userfaultfd, "utf8");
  const cells: Cell[] = [];
  try {
    await writeFile(userfaultfd, "1");
    await using guest = await ComparisonGuest.build(say);
    for (const link of linkNames)
      for (const vcpus of new Set(guests.map((one) => one.vcpus)))
        cells.push(
          ...(await overLink({ link, vcpus, binary: qemu.binary, image: guest.image }, interrupted)),
        );
  } finally {
    await writeFile(userfaultfd, allowedBefore);
    await tell(cells, qemu.version);
  }
});

interface Place {
  link: string;
  vcpus: number;
  binary: string;
  image: GuestImage;
}

async function overLink(place: Place, interrupted: Promise<never>): Promise<Cell[]> {
  const { link, vcpus } = place;
  say(`making a lab of two hosts with a link of ${link}, for guests of ${String(vcpus)} vCPUs`);
  await using lab = await TestLab.start({
    ...{ hosts: ["a", "b"], qemu: { a: wanted, b: wanted } },
    ...{ linkBitsPerSecond: links[link]?.shapedTo ?? null, forbidsUserfaultfd: false },
  });
  const compare = async () => {
    const engines = await startEngines(lab, place, links[link]?.ceilingMbps ?? null);
    const cells: Cell[] = [];
    for (const guest of guests.filter((one) => one.vcpus === vcpus))
      cells.push(...(await compareOn(lab.lab.id, engines, guest, link)));
    return cells;
  };
  return await Promise.race([compare(), interrupted]);
}

/** The engines take turns. */
async function compareOn(
  labId: string,
  engines: readonly Engine[],
  guest: GuestLoad,
  link: string,
): Promise<Cell[]> {
  const moves = new Map<Engine, Move[]>(engines.map((engine) => [engine, []]));
  for (let round = 0; round < runs; round++)
    // Each goes first in turn: what slows one of them down does not always hit the same.
    for (let place = 0; place < engines.length; place++) {
      const engine = engines[(round + place) % engines.length];
      if (engine === undefined) continue;
      const move = await measureMove(labId, engine, guest);
      moves.get(engine)?.push(move);
      say(`${guest.name}, ${link}, ${engine.name}: ${moveText(move)}`);
    }
  return engines.map((engine) => cellOf(guest.name, link, engine.name, moves.get(engine) ?? []));
}

async function startEngines(
  lab: TestLab,
  { vcpus, binary, image }: Place,
  ceilingMbps: number | null,
): Promise<Engine[]> {
  const vm = await lab.boot({ on: "a", memoryMib, vcpus, image });
  const engines: Engine[] = [];
  if (engineNames.includes("godwit")) engines.push(godwitEngine(lab, vm, limitMs, ceilingMbps));
  if (engineNames.some((name) => name.startsWith("virsh"))) {
    const peer = await LibvirtPeer.start(lab.lab);
    try {
      const both = await virshEngines(lab, peer, vm, binary, limitMs, ceilingMbps, image);
      engines.push(...both.filter(({ name }) => engineNames.includes(name)));
    } catch (error) {
      // Others are compared all the same.
      say(
        `libvirt ${(await peer.version()).trim()} does not take part: ${error instanceof Error ? error.message : String(error)}`,
      );
      say(await lastWords(peer.host("a").logOf("libvirtd")));
    }
  }
  const bare = engineNames.filter((name) => name in bareVariants);
  if (bare.length > 0) {
    const guest = await BareGuest.boot(lab, vm, { binary, index: 2, image });
    engines.push(...bare.map((name) => bareEngine(guest, name, limitMs, ceilingMbps)));
  }
  return engines;
}

async function lastWords(file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.trim().split("\n").slice(-6).join("\n");
}

function moveText({ failure, hung, totalMs, outageMs, work, note }: Move): string {
  if (failure !== null) return failure.slice(0, 200);
  const rate = work === null ? "" : `, it did ${work.perSecond.toFixed(1)} ${work.unit}/s`;
  return hung
    ? "the guest answered nothing afterwards"
    : `${((totalMs ?? 0) / 1000).toFixed(2)} s, outage ${(outageMs ?? NaN).toFixed(0)} ms${rate}${note === null ? "" : ` (${note})`}`;
}

async function tell(cells: readonly Cell[], version: string): Promise<void> {
  console.log(
    `QEMU ${version} at both ends, a guest of ${String(memoryMib)} MiB under a client's load, ${String(runs)} moves a cell`,
  );
  console.log(cellsText(cells));
  if (values.json === undefined) return;
  await writeFile(values.json, `${JSON.stringify({ cells }, null, 2)}\n`);
  await writeFile(values.svg ?? values.json.replace(/(\.json)?$/, ".svg"), cellsPlot(cells));
}
