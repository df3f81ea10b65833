/**
 * Godwit against libvirt: the same guest on the same QEMU and links, moved there and back in turn by Godwit,
 * by `virsh migrate --live` and by its `--p2p`, each move under a client's load. Figures are of this machine
 * and this hour; the ratios are what to look at.
 * A move that is given up counts as failed, and the next one follows.
 */
import { writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { TestLab } from "@godwit/test-kit";
import { measure } from "./measure/interruption.ts";
import { comparisonOf, comparisonText } from "./peer/comparison.ts";
import { godwit, Twin } from "./peer/contenders.ts";
import { LibvirtPeer } from "./peer/libvirt-peer.ts";
import { peerQemus, requireLibvirt } from "./peer/packages.ts";
import { inTurn } from "./peer/turns.ts";
import { numberOf, readOptions } from "../scripts/options.ts";

const usage = `usage: node bench/peer-virsh.ts [--moves 10] [--memory 512] [--tls] [--max-outage MS] [--json FILE]

  --moves N        how many moves of each
  --memory MIB     of the guest
  --tls            also both ways of virsh over TLS, which Godwit always uses
  --max-outage MS  the longest pause that all may have; by default each has its own (Godwit 50 ms, 250 ms for an
                   emulated guest; libvirt 300 ms)
  --json FILE      the figures, for other programs`;

const values = readOptions(usage, {
  moves: { type: "string", default: "10" },
  memory: { type: "string", default: "512" },
  tls: { type: "boolean", default: false },
  "max-outage": { type: "string" },
  json: { type: "string" },
});
const moves = numberOf(usage, "--moves", values.moves);
const memoryMib = numberOf(usage, "--memory", values.memory, 16);
const budget =
  values["max-outage"] === undefined ? undefined : numberOf(usage, "--max-outage", values["max-outage"]);
const say = (text: string) => {
  console.error(text);
};

await measure(async (interrupted) => {
  await requireLibvirt();
  say("making a lab of two hosts");
  await using lab = await TestLab.start({ hosts: ["a", "b"], qemu: peerQemus });
  await Promise.race([compare(lab), interrupted]);
});

async function compare(lab: TestLab): Promise<void> {
  say("starting libvirt on both hosts, and the guests");
  const peer = await LibvirtPeer.start(lab.lab);
  const vm = await lab.boot({ on: "a", memoryMib });
  const twin = await Twin.boot(lab, peer, vm, 1);
  const contenders = [
    godwit(lab, vm, budget),
    ...[false, ...(values.tls ? [true] : [])].flatMap((tls) =>
      [false, true].map((peerToPeer) =>
        twin.contender({ peerToPeer, tls, ...(budget === undefined ? {} : { maxDowntimeMs: budget }) }),
      ),
    ),
  ];
  const samples = await inTurn(contenders, moves, say);
  const { hosts } = await lab.api.call("hostList", {});
  const qemu = hosts[0]?.facts?.qemu;
  const setting = {
    date: new Date().toISOString().slice(0, 10),
    cpus: cpus().length,
    machineMemoryMib: Math.round(totalmem() / 2 ** 20),
    qemu: `${qemu?.version ?? ""} ${qemu?.accelerator ?? ""}`,
    libvirt: await peer.version(),
    memoryMib,
    maxOutageMs: budget ?? null,
  };
  const rows = contenders.map((contender) => comparisonOf(contender.name, samples.get(contender) ?? []));
  console.log(
    `QEMU ${setting.qemu}, libvirt ${setting.libvirt}, guest of ${String(memoryMib)} MiB under load`,
  );
  console.log(comparisonText(rows));
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ setting, contenders: rows }, null, 2)}\n`);
}
