/**
 * The fault campaign against the peer: libvirt moves the lab's guest under a client's load, by `virsh migrate --live`
 * and by its `--p2p`, and in each phase each fault happens. Afterwards: where the guest runs, what was lost, doubled,
 * left over, and what hangs. Daemons that die are started again as systemd would; nobody else helps.
 */
import { writeFile } from "node:fs/promises";
import { TestLab } from "@godwit/test-kit";
import { measure } from "./measure/interruption.ts";
import { runCell } from "./peer/faults/cell.ts";
import { faults } from "./peer/faults/all.ts";
import { Lun } from "./peer/faults/lun.ts";
import { phaseNames } from "./peer/faults/phases.ts";
import { Stage } from "./peer/faults/stage.ts";
import { cellsText, type Cell } from "./peer/faults/verdict.ts";
import { LibvirtPeer } from "./peer/libvirt-peer.ts";
import { peerQemus, requireLibvirt } from "./peer/packages.ts";
import { numberOf, readOptions } from "../scripts/options.ts";

const usage = `usage: node bench/peer-faults.ts [--short] [--peer virsh|p2p] [--phase NAME] [--fault WORDS] [--iscsi]
         [--limit S] [--memory 256] [--json FILE]

  --short        the worst moments only
  --peer NAME    virsh or p2p; default: both
  --phase NAME   this phase only
  --fault WORDS  faults with these words in their names only
  --iscsi        the guest's disk on a LUN that QEMU itself opens: QEMU locks nothing there, as on any block device that
                 several hosts share; on the lab's shared folder it locks the image
  --limit S      for how long after its fault a cell is watched (default 75)
  --memory MIB   of the guest
  --json FILE    the figures, for other programs`;

const values = readOptions(usage, {
  short: { type: "boolean", default: false },
  peer: { type: "string" },
  phase: { type: "string" },
  fault: { type: "string" },
  limit: { type: "string", default: "75" },
  memory: { type: "string", default: "256" },
  iscsi: { type: "boolean", default: false },
  json: { type: "string" },
});
const memoryMib = numberOf(usage, "--memory", values.memory, 16);
const limitMs = numberOf(usage, "--limit", values.limit) * 1000;
const say = (text: string) => {
  console.error(text);
};
const shortFaults = /^none$|libvirtd killed|^virsh killed|QEMU killed|link cut$|answers lost/;

const planned = [false, true].flatMap((peerToPeer) =>
  phaseNames.flatMap((phase) =>
    faults
      .filter((fault) => fault.phases === undefined || fault.phases.includes(phase))
      .map((fault) => ({ peerToPeer, phase, fault })),
  ),
);
const plan = planned.filter(
  ({ peerToPeer, phase, fault }) =>
    (values.peer === undefined || (values.peer === "p2p") === peerToPeer) &&
    (values.phase === undefined || values.phase === phase) &&
    (values.fault === undefined || fault.name.includes(values.fault)) &&
    (!values.short || (phase === "completed" && !peerToPeer && shortFaults.test(fault.name))),
);

await measure(async (interrupted) => {
  await requireLibvirt();
  say("making a lab of two hosts");
  await using lab = await TestLab.start({ hosts: ["a", "b"], qemu: peerQemus, ownStorage: true });
  await using lun = values.iscsi ? await Lun.start(lab.lab) : null;
  await Promise.race([campaign(lab, lun), interrupted]);
});

async function campaign(lab: TestLab, lun: Lun | null): Promise<void> {
  const peer = await LibvirtPeer.start(lab.lab);
  const original = await lab.create({ on: "a", memoryMib });
  const stage = new Stage(lab, peer, original, lun);
  const cells: Cell[] = [];
  const missed: string[] = [];
  for (const { peerToPeer, phase, fault } of plan) {
    const name = `${peerToPeer ? "virsh --p2p" : "virsh"}, ${phase}, ${fault.name}`;
    const options = { peerToPeer, phase, fault, limitMs };
    const cell = await runCell(stage, options).catch((error: unknown) => {
      stage.abandon();
      return error instanceof Error ? error.message : String(error);
    });
    if (typeof cell === "string") missed.push(`${name}: ${cell}`);
    else cells.push(cell);
    const words = typeof cell === "string" ? cell : cellText(cell);
    say(`${String(cells.length + missed.length)}/${String(plan.length)} ${name}: ${words}`);
    if (values.json !== undefined) {
      const report = { libvirt: await peer.version(), cells, missed };
      await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
    }
  }
  console.log(cellsText(cells));
  if (missed.length > 0) console.log(`not measured: ${missed.join("; ")}`);
}

function cellText({ outcome, virsh, recoveryMs, stuck, leftovers, doubledMs, hit }: Cell): string {
  const recovery =
    recoveryMs === null ? "never settled" : `settled after ${(recoveryMs / 1000).toFixed(1)} s`;
  const more = [
    ...stuck.map((one) => `stuck: ${one}`),
    ...leftovers,
    ...(doubledMs > 0 ? [`twice for ${String(doubledMs)} ms`] : []),
  ];
  return [
    `${outcome}, virsh ${virsh}, ${recovery}`,
    ...more,
    `(${String(hit.ms)} ms after ${hit.after})`,
  ].join("; ");
}
