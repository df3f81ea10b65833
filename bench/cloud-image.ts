/**
 * A VM from a cloud image, by the commands that an operator uses: `godwit image add`, `godwit vm create --image … --ssh-key … --start`, and how
 * long it takes until its user logs in. Then it moves there and back while its user's connection is open and its guest writes.
 */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { moveOf } from "@godwit/contract";
import { datastore, portGroup, vmAddress } from "@godwit/lab";
import { run } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { debianCloudImage } from "./cloud/debian-image.ts";
import { inGuest, logsIn, SshSession } from "./cloud/ssh-session.ts";
import { measure } from "./measure/interruption.ts";
import { numberOf, readOptions } from "../scripts/options.ts";

const usage = `usage: node bench/cloud-image.ts [--moves 4] [--memory 1024] [--json FILE]

  --moves N      there and back in turn
  --memory MIB   of the VM
  --json FILE    the figures, for other programs`;

const values = readOptions(usage, {
  moves: { type: "string", default: "4" },
  memory: { type: "string", default: "1024" },
  json: { type: "string" },
});
const moves = numberOf(usage, "--moves", values.moves);
const memoryMib = numberOf(usage, "--memory", values.memory, 256);
/** An emulated guest on a busy machine. */
const bootLimitMs = 900_000;
const program = fileURLToPath(new URL("../apps/cli/src/godwit.js", import.meta.url));
const say = (text: string) => {
  console.error(text);
};

await measure(async (interrupted) => {
  const image = await Promise.race([debianCloudImage(say), interrupted]);
  say("making a lab of two hosts");
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  await Promise.race([tell(lab, image), interrupted]);
});

async function tell(lab: TestLab, image: string): Promise<void> {
  const godwit = async (...args: string[]) => {
    await run(process.execPath, [program, ...args], {
      ...{ what: `godwit ${args.slice(0, 2).join(" ")}`, timeoutMs: 600_000 },
      env: { GODWIT_LAB: lab.lab.id },
    });
  };
  const key = join(lab.lab.folder, "key");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key], { what: "making a key" });
  const network = join(lab.lab.folder, "network.yaml");
  const ethernet = { match: { name: "en*" }, addresses: [`${vmAddress(0)}/24`] };
  await writeFile(network, JSON.stringify({ version: 2, ethernets: { all: ethernet } }));
  await mkdir(join(lab.lab.sharedFolder, "uploads"), { recursive: true });
  await copyFile(image, join(lab.lab.sharedFolder, "uploads/debian-12.qcow2"));

  const seconds: Record<string, number> = {};
  const timed = async (what: string, work: () => Promise<void>) => {
    const from = performance.now();
    await work();
    seconds[what] = (performance.now() - from) / 1000;
    say(`${what}: ${seconds[what].toFixed(1)} s`);
  };
  await timed("the image comes into the library", () =>
    godwit("image", "add", `${datastore}:uploads/debian-12.qcow2`, "--name", "debian-12"),
  );
  await timed("the VM is created and powered on", () =>
    godwit(
      ...["vm", "create", "web-1", "--image", "debian-12", "--disk", "4GiB", "--firmware", "uefi"],
      ...["--memory", `${String(memoryMib)}MiB`, "--network", portGroup, "--ssh-key", `${key}.pub`],
      ...["--network-config", network, "--hostname", "web-1", "--host", "a", "--start"],
    ),
  );
  const target = { namespace: lab.lab.namespace("client"), address: vmAddress(0), key };
  await timed("its user logs in over SSH", () => logsIn(target, bootLimitMs));
  await timed("cloud-init has ended", async () => {
    await inGuest(target, "cloud-init status --wait >/dev/null; true");
  });
  const system = await inGuest(
    target,
    "echo $(hostname), $(. /etc/os-release; echo $PRETTY_NAME), $(uname -r)",
  );
  const rootMib = Number(await inGuest(target, "df -BM --output=size / | tail -1 | tr -d M"));
  say(`${system}; its root has grown to ${String(rootMib)} MiB`);

  const vm = await lab.vm("web-1");
  using session = await SshSession.start(target);
  const told: { to: string; pauseMs: number | null; totalMs: number | null; passes: number | null }[] = [];
  for (let number = 0; number < moves; number++) {
    const to = number % 2 === 0 ? "b" : "a";
    const task = await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to } }));
    const move = moveOf(task);
    told.push({
      ...{
        to,
        pauseMs: move?.stopToContMs ?? null,
        totalMs: move?.totalMs ?? null,
        passes: move?.rounds ?? null,
      },
    });
    const runners = await lab.runnersOf(vm);
    if (runners.join() !== to) throw new Error(`after its move to ${to} the VM runs on ${runners.join()}`);
    say(`moved to ${to}: ${JSON.stringify(told.at(-1))}`);
  }
  const seen = await session.finish();
  console.log(JSON.stringify({ system, rootMib, seconds, moves: told, ...seen }, null, 2));
  if (values.json !== undefined)
    await writeFile(
      values.json,
      `${JSON.stringify({ system, rootMib, seconds, moves: told, ...seen }, null, 2)}\n`,
    );
  if (seen.lost > 0 || !seen.lives)
    throw new Error("acknowledged lines were lost, or the connection did not outlast the moves");
}
