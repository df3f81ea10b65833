/** A disk of a real QEMU moves from a file onto a volume and back, through an agent that is stopped at its worst moments: where the disk is, and what is left. */
import { execFileSync, spawnSync } from "node:child_process";
import { chown, mkdir, readdir, readlink } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { GodwitError, volumePath, type DiskRelocation } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import {
  Datastore,
  markDatastore,
  readLeftVolumes,
  readRelocation,
  readVm,
  saveVm,
  VmDatastores,
  type VolumeGroup,
} from "@godwit/storage";
import { until, userIds } from "@godwit/system";
import { pino } from "pino";
import { expect, inject, test } from "vitest";
import { Fixture, user } from "../../../packages/hypervisor/test/fixtures.ts";
import { LoopVolumes } from "../../../packages/storage/test/loop-volumes.ts";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import { EventLog } from "../src/event-log.ts";
import { Claims } from "../src/vms/claims.ts";
import { Relocations, type RelocationsParts } from "../src/vms/relocations.ts";

const missing = spawnSync("losetup", ["--find"]).status === 0 ? null : "there are no loop devices";
const [binary = ""] = inject("qemuBinaries");
const mib = 1 << 20;

/** A VM that runs, whose disk is a file on `shared`; `san` is a LUN. */
class Site implements AsyncDisposable {
  readonly fixture: Fixture;
  readonly home: Datastore;
  readonly san: LoopVolumes;
  readonly qemu: QemuProcess;
  /** What QEMU had open when a volume was removed. */
  readonly openAtRemoval: string[] = [];
  /** Images that the lease waits for, as they were told last. */
  written: readonly string[] = [];
  spoils: Partial<VolumeGroup> = {};

  private constructor(fixture: Fixture, home: Datastore, qemu: QemuProcess) {
    this.fixture = fixture;
    this.home = home;
    this.qemu = qemu;
    this.san = new LoopVolumes("san", fixture.folder);
  }

  static async start(): Promise<Site> {
    const fixture = await Fixture.make(binary);
    const config = { name: "shared", path: join(fixture.folder, "vms"), shared: true };
    await mkdir(join(config.path, "probe-vm"), { recursive: true });
    await markDatastore(config, "a");
    const home = await Datastore.open(config, "a");
    const image = home.resolve("probe-vm/data.qcow2");
    // Not of whole extents.
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", image, "15M"]);
    const { uid, gid } = await userIds(user);
    await chown(image, uid, gid);
    const spec = { ...fixture.spec(false), diskPaths: { data: image } };
    await saveVm(home, spec.vm);
    const qemu = await (await fixture.hypervisor("a")).start(spec);
    const site = new Site(fixture, home, qemu);
    await site.io("write -P 7 1M 1M");
    return site;
  }

  agent(onStep: (step: string) => void = () => undefined): Relocations {
    const { home, qemu } = this;
    const parts = {
      config: { name: "a", qemu: { user } },
      environment: {
        datastore: () => Promise.resolve(home),
        datastoresOf: () => Promise.resolve(new VmDatastores(home, [], [this.#group()])),
        checkOwnFiles: () => Promise.resolve(),
        attachVolume: (store: VolumeGroup, ...of: Parameters<VolumeGroup["attach"]>) => store.attach(...of),
        mayBeFencedAt: () => false,
      },
      processes: { of: () => qemu },
      leases: {
        writesTo: (_vm: unknown, { images }: { images: readonly string[] }) => {
          this.written = images;
          return Promise.resolve();
        },
      },
      claims: new Claims(),
      events: new EventLog(),
      log: Object.assign(pino({ level: "silent" }), {
        info: ({ step }: { step?: string }) => {
          onStep(step ?? "");
        },
      }),
    };
    return new Relocations(parts as unknown as RelocationsParts);
  }

  #group(): VolumeGroup {
    const group = this.san.asGroup();
    const remove = group.remove.bind(group);
    return Object.assign(group, {
      remove: async (...of: Parameters<VolumeGroup["remove"]>) => {
        this.openAtRemoval.push(...(await this.opened()).filter((path) => path.startsWith("/dev/loop")));
        await remove(...of);
      },
      ...this.spoils,
    });
  }

  /** What the guest would do with the disk. What it has flushed, others can read from the image. */
  async io(command: string): Promise<void> {
    const socket = createConnection(this.qemu.paths.rescue);
    try {
      const answers = createInterface({ input: socket })[Symbol.asyncIterator]();
      const send = async (execute: string, more: object) => {
        socket.write(JSON.stringify({ execute, arguments: more }));
        for (let answer = ""; !answer.includes('"return"');) answer = String((await answers.next()).value);
      };
      await send("qmp_capabilities", {});
      for (const one of [command, "flush"])
        await send("human-monitor-command", {
          "command-line": `qemu-io -d /machine/peripheral/data/virtio-backend "${one}"`,
        });
    } finally {
      socket.destroy();
    }
  }

  async opened(): Promise<string[]> {
    const fds = `/proc/${String(this.qemu.identity.pid)}/fd`;
    const links = (await readdir(fds).catch(() => [] as string[])).map((fd) =>
      readlink(join(fds, fd)).catch(() => ""),
    );
    return await Promise.all(links);
  }

  async job(): Promise<string | undefined> {
    return (await this.qemu.qmp.execute("query-jobs"))[0]?.status;
  }

  order(to: string, more: Partial<DiskRelocation> = {}): DiskRelocation {
    return { datastore: "shared", name: "probe-vm", disks: ["data"], to, bytesPerSecond: null, ...more };
  }

  /** What the VM, its QEMU and the notes beside it say of the disk. */
  async said() {
    const { vm, diskPaths, blockDevices } = this.qemu.spec;
    const [disk] = (await readVm(this.home, "probe-vm")).disks;
    return {
      disk: { datastore: disk?.datastore, path: disk?.path, format: disk?.format },
      ofQemu: vm.disks[0]?.path,
      isDevice: diskPaths.data?.startsWith("/dev/loop"),
      blockDevices,
      notes: [await readRelocation(this.home, "probe-vm"), await readLeftVolumes(this.home, "probe-vm")],
      volumes: [...this.san.volumes.keys()],
      active: this.san.active.size,
    };
  }

  get volume(): string {
    return volumePath(this.qemu.vmId, "data");
  }

  onVolume() {
    return {
      disk: { datastore: "san", path: this.volume, format: "raw" },
      ...{ ofQemu: this.volume, isDevice: true, blockDevices: ["data"], notes: [null, []] },
      ...{ volumes: [this.volume], active: 1 },
    };
  }

  onFile(name = "data.qcow2") {
    return {
      disk: { datastore: undefined, path: `probe-vm/${name}`, format: name.slice("data.".length) },
      ...{ ofQemu: `probe-vm/${name}`, isDevice: false, blockDevices: undefined, notes: [null, []] },
      ...{ volumes: [], active: 0 },
    };
  }

  holds(path: string, format: string, ...reads: string[]): void {
    const words = ["read -P 7 1M 1M", "read -P 0 8M 4M", ...reads].flatMap((read) => ["-c", read]);
    execFileSync("qemu-io", ["-U", "-r", "-f", format, ...words, path], { stdio: "ignore" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.qemu.end();
    await this.san.close();
    await this.fixture[Symbol.asyncDispose]();
  }
}

describeWith("a disk of a running VM", missing, () => {
  test("goes onto a volume and back to a file, with all that was written meanwhile", async () => {
    await using site = await Site.start();
    await site.agent().relocate(site.qemu.vmId, site.order("san"));
    expect(await site.said()).toEqual(site.onVolume());
    expect(site.written).toEqual([site.qemu.spec.diskPaths.data]);
    await site.io("write -P 8 3M 1M");
    site.holds(site.san.fileOf(site.volume), "raw", "read -P 8 3M 1M");
    // It has whole extents.
    expect(site.san.volumes.get(site.volume)?.sizeBytes).toBe(16 * mib);

    await site.agent().relocate(site.qemu.vmId, site.order("shared", { format: "qcow2" }));
    expect(await site.said()).toEqual(site.onFile());
    await site.io("write -P 9 4M 1M");
    const image = site.home.resolve("probe-vm/data.qcow2");
    site.holds(image, "qcow2", "read -P 8 3M 1M", "read -P 9 4M 1M");
    expect(site.openAtRemoval).toEqual([]);
    expect(site.written).toEqual([image]);

    await site.agent().relocate(site.qemu.vmId, site.order("san"));
    await site.agent().relocate(site.qemu.vmId, site.order("shared"));
    expect(await site.said()).toEqual(site.onFile("data.raw"));
    site.holds(site.home.resolve("probe-vm/data.raw"), "raw", "read -P 8 3M 1M", "read -P 9 4M 1M");
  });

  test.each(["describeTarget", "change", "dismiss"])(
    "is on its volume when the agent was stopped after %s, and started again",
    async (last) => {
      await using site = await Site.start();
      const agent = site.agent((step) => {
        if (step === last) agent.stop();
      });
      await expect(agent.relocate(site.qemu.vmId, site.order("san"))).rejects.toThrow("the agent stops");
      expect((await site.said()).disk.datastore).toBe("san");
      expect(await readRelocation(site.home, "probe-vm")).not.toBeNull();
      site.agent().restore(site.qemu);
      await expect.poll(() => site.said(), { timeout: 60_000 }).toEqual(site.onVolume());
      await site.io("write -P 8 3M 1M");
      site.holds(site.san.fileOf(site.volume), "raw", "read -P 8 3M 1M");
    },
  );

  test("stays on its file when the copy is cancelled by an agent that was started again, and no volume is left", async () => {
    await using site = await Site.start();
    const first = site.agent();
    const moving = first.relocate(site.qemu.vmId, site.order("san", { bytesPerSecond: 1 }));
    moving.catch(() => undefined);
    expect(
      await until(async () => ((await site.job()) === "running" ? true : null), {
        everyMs: 20,
        limitMs: 60_000,
      }),
    ).toBe(true);
    first.stop();
    await expect(moving).rejects.toThrow("the agent stops");
    expect((await site.said()).volumes).toEqual([site.volume]);
    const second = site.agent();
    second.restore(site.qemu);
    await expect
      .poll(
        async () => {
          await second.settle(site.qemu.vmId, "shared", "probe-vm");
          return await site.said();
        },
        { timeout: 60_000 },
      )
      .toEqual(site.onFile());
    expect(site.openAtRemoval).toEqual([]);
    site.holds(site.home.resolve("probe-vm/data.qcow2"), "qcow2");
  });

  test("stays on its file when QEMU ends while it is copied, and no volume is left", async () => {
    await using site = await Site.start();
    const moving = site.agent().relocate(site.qemu.vmId, site.order("san", { bytesPerSecond: 1 }));
    moving.catch(() => undefined);
    const copies = async () => ((await site.job()) === "running" ? true : null);
    expect(await until(copies, { everyMs: 20, limitMs: 60_000 })).toBe(true);
    await site.qemu.end();
    await expect(moving).rejects.toMatchObject({
      ...{ code: "DISK_RELOCATION_FAILED", problem: { details: { reason: "the VM's QEMU has ended" } } },
    });
    const { disk, notes, volumes, active } = await site.said();
    expect(disk.path).toBe("probe-vm/data.qcow2");
    expect([notes, volumes, active]).toEqual([[null, []], [], 0]);
  });

  test("stays where it was when its volume cannot be made, and it is said why", async () => {
    await using site = await Site.start();
    const details = { path: "/dev/sda", neededBytes: 2, freeBytes: 1 };
    const short = GodwitError.of("SPACE_SHORT", details);
    site.spoils = { make: () => Promise.reject(short) };
    const moving = site.agent().relocate(site.qemu.vmId, site.order("san"));
    await expect(moving).rejects.toMatchObject({ code: "SPACE_SHORT" });
    site.spoils = { attach: () => Promise.reject(new Error("the LUN hangs")) };
    await expect(site.agent().relocate(site.qemu.vmId, site.order("san"))).rejects.toMatchObject({
      ...{ code: "DISK_RELOCATION_FAILED", problem: { details: { reason: "the LUN hangs" } } },
    });
    expect(await site.said()).toEqual(site.onFile());
  });

  test("is on its file when the volume that it has left cannot be removed, which goes before the next move", async () => {
    await using site = await Site.start();
    await site.agent().relocate(site.qemu.vmId, site.order("san"));
    site.spoils = { remove: () => Promise.reject(new Error("the LUN hangs")) };
    await site.agent().relocate(site.qemu.vmId, site.order("shared"));
    expect(await readLeftVolumes(site.home, "probe-vm")).toMatchObject([{ path: site.volume, goes: true }]);
    site.spoils = {};
    await site.agent().relocate(site.qemu.vmId, site.order("san"));
    expect(await site.said()).toEqual(site.onVolume());
  });
});
