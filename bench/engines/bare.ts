/**
 * QEMU without any management: a QMP driver that starts the destination, sets what is to be set, and says `migrate`. What it
 * takes is what a manager cannot be faster than. Its stream is not encrypted, nothing is checked, and nothing keeps the guest from
 * running twice.
 */
import { once } from "node:events";
import { spawn, type ChildProcess } from "node:child_process";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { VmView } from "@godwit/contract";
import { hostAddress, networks, placeGuest, vmAddress, type GuestImage } from "@godwit/lab";
import { run, sleep } from "@godwit/system";
import type { TestLab } from "@godwit/test-kit";
import { guestAnswers } from "../measure/move-under-load.ts";
import { bareVariants, type BareSettings } from "./bare-variants.ts";
import { credentialWords, streamParameters } from "./bare-credentials.ts";
import type { Engine } from "./engine.ts";
import { RawQmp } from "./raw-qmp.ts";

const port = 49_300;
const everyMs = 20;
const unlimited = 2 ** 40;

interface Qemu {
  host: string;
  process: ChildProcess;
  qmp: RawQmp;
}

export class BareGuest {
  readonly #lab: TestLab;
  readonly #binary: string;
  readonly #words: readonly string[];
  readonly #index: number;
  #starts = 0;
  #running: Qemu | null = null;

  private constructor(lab: TestLab, binary: string, words: readonly string[], index: number) {
    this.#lab = lab;
    this.#binary = binary;
    this.#words = words;
    this.#index = index;
  }

  static async boot(
    lab: TestLab,
    original: VmView,
    { binary, index, image }: { binary: string; index: number; image: GuestImage },
  ): Promise<BareGuest> {
    const { machine, cpu, memoryMib, vcpus } = original.config;
    const { disks, boot } = await placeGuest(lab.lab.sharedFolder, image, { name: "bare", index, memoryMib });
    const at = (path: string | undefined) => join(lab.lab.sharedFolder, path ?? "");
    const words = [
      ...["-nodefaults", "-no-user-config", "-display", "none", "-machine", machine, "-accel", "tcg"],
      ...["-cpu", cpu.model, "-m", String(memoryMib), "-smp", String(vcpus)],
      ...["-kernel", at(boot?.kernel), "-initrd", at(boot?.initrd), "-append", boot?.commandLine ?? ""],
      ...["-drive", `file=${at(disks?.[0]?.image)},format=qcow2,if=virtio,cache=none`],
      ...["-device", `virtio-net-pci,netdev=net,mac=52:54:00:87:03:${String(11 + index)},romfile=`],
      ...["-device", "virtio-rng-pci", "-serial", "null"],
      ...(await credentialWords(join(lab.lab.folder, "bare-credentials"))),
    ];
    const guest = new BareGuest(lab, binary, words, index);
    await guest.start(original.host);
    return guest;
  }

  get address(): string {
    return vmAddress(this.#index);
  }

  /** Again, on a host. */
  async start(host: string): Promise<void> {
    await this.#end(this.#running);
    this.#running = await this.#launch(host, []);
    await guestAnswers(this.#lab.lab.id, this.address);
  }

  async restart(): Promise<void> {
    await this.start(this.#running?.host ?? "a");
  }

  /** @param limitMs after it the move is cancelled. @returns bytes sent */
  async move(
    { capabilities, parameters, isEncrypted = false, course }: BareSettings,
    limitMs: number,
    ceilingMbps: number | null,
  ): Promise<number | null> {
    const source = this.#running;
    if (source === null) throw new Error("the guest does not run");
    const to = source.host === "a" ? "b" : "a";
    const uri = `tcp:${hostAddress("migration", to === "a" ? 0 : 1)}:${String(port)}`;
    const target = await this.#launch(to, ["-incoming", "defer"]);
    const set = async ({ qmp }: Qemu, end: "client" | "server") => {
      await qmp.execute("migrate-set-capabilities", {
        capabilities: ["multifd", "xbzrle", "auto-converge"].map((capability) => ({
          capability,
          state: capabilities.includes(capability),
        })),
      });
      // QEMU's own limit again, after an engine that had another.
      await qmp.execute("migrate-set-parameters", {
        ...{ "downtime-limit": 300, "multifd-compression": "none" },
        ...{ ...streamParameters(end, isEncrypted), ...parameters },
      });
    };
    try {
      await set(target, "server");
      await target.qmp.execute("migrate-incoming", { uri });
      await set(source, "client");
      await source.qmp.execute("migrate-set-parameters", {
        "max-bandwidth": ceilingMbps === null ? unlimited : (ceilingMbps * 1e6) / 8,
      });
      await source.qmp.execute("migrate", { uri });
      const until = performance.now() + limitMs;
      const steer = course?.();
      for (;;) {
        const { status, ram } = (await source.qmp.execute("query-migrate")) as {
          status?: string;
          ram?: { transferred: number; remaining: number };
        };
        const changed = steer?.(ram?.remaining ?? 0) ?? null;
        if (changed !== null) await source.qmp.execute("migrate-set-parameters", changed);
        if (status === "completed") {
          this.#running = target;
          await this.#end(source);
          return ram?.transferred ?? null;
        }
        if (status === "failed" || performance.now() > until) {
          if (status !== "failed") await source.qmp.execute("migrate_cancel");
          throw new Error(
            status === "failed"
              ? "QEMU's migration failed"
              : `it had not ended after ${String(limitMs / 1000)} s`,
          );
        }
        await sleep(everyMs); // without a manager nobody listens to events
      }
    } catch (error) {
      await this.#end(target);
      throw error;
    }
  }

  async #launch(host: string, more: readonly string[]): Promise<Qemu> {
    const namespace = this.#lab.lab.namespace(host);
    const number = ++this.#starts;
    const tap = `bare${String(number)}`;
    const ip = async (...words: string[]) => {
      await run("ip", ["-n", namespace, ...words], { what: "making a tap for the bare guest" });
    };
    await ip("tuntap", "add", "dev", tap, "mode", "tap");
    await ip("link", "set", tap, "master", networks.office.bridge, "up");
    const socket = join(this.#lab.lab.folder, `bare-${String(number)}.sock`);
    const log = await open(this.#lab.lab.logOf(`bare-${String(number)}`), "w");
    const words = [
      ...this.#words,
      ...["-netdev", `tap,id=net,ifname=${tap},script=no,downscript=no`],
      ...["-qmp", `unix:${socket},server=on,wait=off`, ...more],
    ];
    const process = spawn("ip", ["netns", "exec", namespace, this.#binary, ...words], {
      stdio: ["ignore", log.fd, log.fd],
    });
    await once(process, "spawn");
    await log.close();
    return { host, process, qmp: await RawQmp.connect(socket) };
  }

  async #end(qemu: Qemu | null): Promise<void> {
    if (qemu === null || qemu.process.exitCode !== null) return;
    const ended = once(qemu.process, "exit");
    qemu.qmp.close();
    qemu.process.kill("SIGKILL");
    await ended;
  }
}

export const bareEngine = (
  guest: BareGuest,
  name: string,
  limitMs: number,
  ceilingMbps: number | null,
): Engine => {
  const settings = bareVariants[name] ?? { capabilities: [], parameters: {} };
  return {
    name,
    address: guest.address,
    move: async () => ({ bytes: await guest.move(settings, limitMs, ceilingMbps) }),
    settled: () => Promise.resolve(),
    revive: async () => {
      await guest.restart();
    },
  };
};
