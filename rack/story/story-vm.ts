/** The story's VM: the lab's guest, made and started by the handbook's commands, and looked at from outside. */
import { isEnded, type Task, type VmView } from "@godwit/contract";
import { buildGuest, dirtyGuestFrom, guestClockOffsetFrom, guestCpuidFrom, Load } from "@godwit/lab";
import { until } from "@godwit/system";
import { filled } from "../src/handbook.ts";
import { addressOf, namespaceOf } from "../src/networks.ts";
import type { Server } from "../src/server.ts";
import { sharedFolder } from "./shared-storage.ts";
import type { Site } from "./site.ts";

/** As the handbook names it. */
const name = "web-1";
const address = addressOf("office", 200);
const limitMs = 600_000;

/** For hosts of either Debian. The page's own VM boots from an image of Debian's, which is too much for a processor that is emulated twice. */
const descriptionWith = (disk: string): string => `name: ${name}
datastore: shared
machine: pc-q35-7.2
memoryMib: 192
vcpus: 1
disks: [${disk}]
nics: [{ portGroup: office }]
guestAgent: true
boot:
  kernel: guest/kernel
  initrd: guest/initrd
  commandLine: console=ttyS0 quiet panic=-1 no_timer_check mitigations=off godwit.ip=${address}/24
`;

/** For each QEMU on a host, the VM's id and what it says of its vCPUs and of KVM, asked on the socket that is not the agent's. */
const asker = `
use IO::Socket::UNIX; use IO::Select;
for my $path (glob "/run/godwit/vms/*/rescue.sock") {
  my ($id) = $path =~ m{vms/([^/]+)/};
  my $socket = IO::Socket::UNIX->new(Peer => $path) or next;
  $socket->autoflush(1);
  print $socket qq({"execute":"qmp_capabilities"}{"execute":"query-status"}{"execute":"query-kvm"});
  my ($text, $select) = ("", IO::Select->new($socket));
  while ($select->can_read(20)) {
    sysread($socket, $text, 65536, length $text) or last;
    if ($text =~ /"status": "([^"]+)".*"enabled": (true|false)/s) { print "$id $1 $2\\n"; last }
  }
}
`;

const ownDisk = "{ name: data, image: guest/data.qcow2, format: qcow2 }";

export interface Qemu {
  host: string;
  /** Whether its vCPUs run. */
  running: boolean;
  accelerator: string;
}

export class StoryVm {
  readonly name = name;
  readonly address = address;
  readonly #site: Site;
  #cpuid: string[] = [];

  private constructor(site: Site) {
    this.#site = site;
  }

  /** Resolves when its database answers. @param disk as in a description; a copy of the guest's image */
  static async start(site: Site, say: (text: string) => void, disk = ownDisk): Promise<StoryVm> {
    const vm = new StoryVm(site);
    const { vms } = await site.api.call("vmList", { query: {} });
    if (!vms.some((one) => one.name === name)) {
      say("creating and starting the VM");
      const guest = await buildGuest(say);
      await site.files.fetch(site.server, guest.kernel, `${sharedFolder}/guest/kernel`);
      await site.files.fetch(site.server, guest.initrd, `${sharedFolder}/guest/initrd`);
      await site.files.fetch(site.server, guest.disk, `${sharedFolder}/guest/data.qcow2`);
      await site.server.shell(`chmod -R a+rX ${sharedFolder}/guest`);
      await site.server.write(`/root/${name}.yaml`, descriptionWith(disk));
      await site.command(site.vmCommand("godwit vm create"));
    }
    if ((await vm.view()).state !== "running") {
      const [first] = site.hosts;
      await site.command(filled(site.vmCommand("godwit vm start"), { "host-a": first?.name ?? "" }));
    }
    await using load = await vm.load();
    await load.finish([]);
    await vm.readCpuid();
    return vm;
  }

  async view(): Promise<VmView> {
    return await this.#site.api.call("vmShow", { params: { vm: name } });
  }

  /** A client's writes, each acknowledged before the next. */
  async load(): Promise<Load> {
    return await Load.startIn(this.#namespace, address, false, limitMs);
  }

  /** It changes its memory from now on, so that one pass is not enough. */
  async dirty(mib: number, mibPerSecond: number): Promise<void> {
    await dirtyGuestFrom(this.#namespace, address, { mib, mibPerSecond, compressiblePercent: 50 });
  }

  /** Milliseconds that the guest's clock is ahead of a host's, roughly: it is asked for over several networks. */
  async clockAheadOf(host: Server): Promise<number> {
    const [guest, began] = [await guestClockOffsetFrom(this.#namespace, address), Date.now()];
    const onHost = Number(await host.run("date", "+%s%3N"));
    return Math.round(guest - (onHost - (began + Date.now()) / 2));
  }

  /** It was powered on with another CPU. */
  forgetCpuid(): void {
    this.#cpuid = [];
  }

  /** What CPUID answers in the guest is kept, to be compared with what it answered before. */
  async readCpuid(): Promise<void> {
    this.#cpuid.push(await guestCpuidFrom(this.#namespace, address));
  }

  get cpuidWords(): string {
    const kinds = new Set(this.#cpuid).size;
    return kinds === 1
      ? `the same in all ${String(this.#cpuid.length)} readings`
      : `${String(kinds)} different answers in ${String(this.#cpuid.length)} readings`;
  }

  /** Every QEMU of it, by its own words. A host that is off has none. */
  async qemus(): Promise<Qemu[]> {
    const { id } = await this.view();
    const ask = async (host: Server): Promise<Qemu[]> => {
      if (!(await host.isOn())) return [];
      const lines = (await host.run("perl", "-e", asker)).split("\n").map((line) => line.split(" "));
      return lines
        .filter(([vm]) => vm === id)
        .map(([, status, kvm]) => ({
          host: host.name,
          running: status === "running",
          accelerator: kvm === "true" ? "kvm" : "tcg",
        }));
    };
    return (await Promise.all(this.#site.hosts.map(ask))).flat();
  }

  /** @throws Error when it has not ended in time */
  async ended(id: Task["id"]): Promise<Task> {
    // Its events would tell too; a poll outlives connections that a fault breaks.
    const task = await until(
      async () => {
        const found = await this.#site.api.call("taskShow", { params: { task: id } }).catch(() => null);
        return found !== null && isEnded(found) ? found : null;
      },
      { everyMs: 1000, limitMs },
    );
    if (task === null) throw new Error(`task ${id} did not end`);
    return task;
  }

  /** Of its clients. */
  get #namespace(): string {
    return namespaceOf(this.#site.rack.id);
  }
}
