/** A lab for one story: hosts, a VM, a load; asked from outside, and gone when the story is over. */
import { randomBytes } from "node:crypto";
import { globSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  isEnded,
  moveOf,
  type CloudInit,
  type DiskBus,
  type Finding,
  type MovePhase,
  type NicModel,
  type Task,
  type VmDescriptionInput,
  type VmView,
} from "@godwit/contract";
import {
  buildGuest,
  datastore,
  dirtyGuest,
  Lab,
  Load,
  placeGuest,
  qemuProcessesOf,
  runnersOf,
  vmAddress,
  type Api,
  type Dirtying,
  type GuestImage,
  type LabOptions,
} from "@godwit/lab";
import { run, until } from "@godwit/system";

const program = [process.execPath, fileURLToPath(new URL("../../apps/cli/src/godwit.js", import.meta.url))];

export interface BootOptions {
  name?: string;
  on: string;
  memoryMib?: number;
  vcpus?: number;
  /** Absent: the lab's guest. */
  image?: GuestImage;
  /** Its machine type. */
  machine?: string;
  cdroms?: VmDescriptionInput["cdroms"];
  cloudInit?: CloudInit;
  tpm?: boolean;
  balloon?: VmDescriptionInput["balloon"];
  /** What the guest sees its disks and its NIC as, which takes the kernel that has drivers for them. */
  models?: { bus: DiskBus; nic: NicModel };
  /** The datastore of its disk, which is copied to there. */
  diskOn?: string;
  /** In place of its disk. */
  disks?: VmDescriptionInput["disks"];
  /** Another datastore than the shared one, and where this program sees its folder. */
  at?: { datastore: string; folder: string };
}

/** Said of the machine that the lab is on, when it is busy: its pressure, and how fast a try of the way was. */
const ofBusyMachine: ReadonlySet<string> = new Set(["DESTINATION_UNHEALTHY", "MIGRATION_PATH_SLOW"]);

export const withoutBusyMachine = (findings: readonly Finding[]): Finding[] =>
  findings.filter(({ code }) => !ofBusyMachine.has(code));

/** For `until`: the task is a move, and in this phase. */
export const inPhase =
  (phase: MovePhase) =>
  (task: Task): boolean =>
    moveOf(task)?.phase === phase;

export class TestLab implements AsyncDisposable {
  readonly lab: Lab;
  #booted = 0;

  private constructor(lab: Lab) {
    this.lab = lab;
  }

  /** Whether QEMU may do post-copies is a setting of the whole machine, which other tests change meanwhile: who needs it says so. */
  static async start(options: Partial<LabOptions> & { hosts: readonly string[] }): Promise<TestLab> {
    const id = `t${randomBytes(3).toString("hex")}`;
    return new TestLab(await Lab.up({ id, program, forbidsUserfaultfd: true, ...options }));
  }

  get api(): Api {
    return this.lab.api;
  }

  /** Creates the lab's guest as a VM; it is not started. */
  async create(options: BootOptions): Promise<VmView> {
    const {
      name = "web-1",
      on,
      memoryMib = 256,
      vcpus,
      image,
      machine,
      cdroms,
      cloudInit,
      models,
      tpm,
      balloon,
      diskOn,
      disks: others,
      at,
    } = options;
    const index = this.#booted++;
    const files = image ?? (await buildGuest(() => undefined, models === undefined ? "cloud" : "full"));
    const folder = at?.folder ?? this.lab.sharedFolder;
    const description = await placeGuest(folder, files, { name, index, memoryMib, vcpus });
    const more = {
      ...(machine === undefined ? {} : { machine }),
      ...(cdroms === undefined ? {} : { cdroms }),
      ...(tpm === undefined ? {} : { tpm }),
      ...(balloon === undefined ? {} : { balloon }),
      ...(at === undefined ? {} : { datastore: at.datastore }),
    };
    const { disks = [] } = others === undefined ? description : { disks: others };
    const own = at?.datastore ?? datastore;
    const placed =
      diskOn === undefined
        ? disks
        : disks.map((disk) => ({ ...disk, datastore: diskOn, imageDatastore: own, take: false }));
    const nics = description.nics?.map((nic) => ({ ...nic, model: models?.nic }));
    const modelled = placed.map((disk) => ({ ...disk, bus: models?.bus }));
    const body = { description: { ...description, ...more, disks: modelled, nics }, host: on, cloudInit };
    await this.succeeded(this.api.call("vmCreate", { body }));
    return await this.vm(name);
  }

  /** Creates and starts it. */
  async boot(options: BootOptions): Promise<VmView> {
    const { name } = await this.create(options);
    await this.succeeded(this.api.call("vmStart", { params: { vm: name }, body: {} }));
    return await this.vm(name);
  }

  /** A client's load on the VM that was created as number `index`. */
  async load(index = 0): Promise<Load> {
    try {
      return await Load.start(this.lab.id, vmAddress(index));
    } catch (error) {
      throw new Error(`${String(error)}\n${await this.#lastWords()}`, { cause: error });
    }
  }

  /** What each guest of the lab has written last to its serial console. */
  async #lastWords(): Promise<string> {
    const files = globSync("hosts/*/run/**/serial.log", { cwd: this.lab.folder });
    const words = files.map(async (file) => {
      const text = await readFile(join(this.lab.folder, file), "latin1");
      return `${file}: ${JSON.stringify(text.slice(-600))}`;
    });
    return (await Promise.all(words)).join("\n") || "no guest has a serial console's log";
  }

  /** The VM that was created as number `index` changes its memory from now on. */
  async dirty(what: Dirtying, index = 0): Promise<void> {
    await dirtyGuest(this.lab.id, vmAddress(index), what);
  }

  async vm(name: string): Promise<VmView> {
    return await this.api.call("vmShow", { params: { vm: name } });
  }

  /** What a check of a VM's move finds, without what is said of a busy machine. */
  async findings(vm: string, to: string, datastore?: string): Promise<Finding[]> {
    const { findings } = await this.api.call("vmCheck", { params: { vm }, body: { to, datastore } });
    return withoutBusyMachine(findings);
  }

  /** The task's end, whatever it is. */
  async ended(started: Promise<Task> | Task): Promise<Task> {
    const { id } = await started;
    return await this.until(id, isEnded);
  }

  /** The task's good end. */
  async succeeded(started: Promise<Task>): Promise<Task> {
    const task = await this.ended(started);
    if (task.state !== "succeeded")
      throw new Error(`${task.kind}: ${task.state}: ${task.error?.detail ?? ""}`);
    return task;
  }

  /** The first state of a task that fits, also over a server that is away for a while. */
  async until(id: Task["id"], fits: (task: Task) => boolean): Promise<Task> {
    const over = new AbortController();
    const found = Promise.withResolvers<Task>();
    const look = (task: Task) => {
      if (fits(task)) found.resolve(task);
      else if (isEnded(task))
        found.reject(new Error(`the task ended: ${task.state} ${task.error?.detail ?? ""}`));
    };
    const onOpen = () => {
      this.api.call("taskShow", { params: { task: id } }).then(look, () => undefined);
    };
    void (async () => {
      for await (const event of this.api.follow("events", { signal: over.signal, onOpen })) {
        if (event.type === "task.changed" && event.subject.id === id) look(event.data.task);
      }
    })().catch((error: unknown) => {
      found.reject(error);
    });
    try {
      return await found.promise;
    } finally {
      over.abort();
    }
  }

  /** Hosts on which the VM's vCPUs run, asked of the machine. */
  async runnersOf(vm: Pick<VmView, "id">): Promise<string[]> {
    return await runnersOf(this.lab, vm.id);
  }

  /** What there should be none of once nothing is under way: QEMUs beyond the VM's one, taps without a VM, open journals. */
  async leftovers(vms: number): Promise<string[]> {
    const found: string[] = [];
    const qemus = await qemuProcessesOf(this.lab);
    if (qemus.length !== vms) found.push(`${String(qemus.length)} QEMU processes`);
    for (const { name } of this.lab.hosts) {
      const { stdout } = await run(
        "ip",
        ["-n", this.lab.namespace(name), "-o", "link", "show", "type", "tun"],
        {
          what: "counting taps",
        },
      );
      const taps = stdout.split("\n").filter((line) => line !== "").length;
      const here = qemus.filter(({ host }) => host === name).length;
      if (taps !== here) found.push(`${String(taps)} taps on ${name} for ${String(here)} VMs`);
      const moves = await readdir(`${this.lab.host(name).stateFolder}/agent/moves`).catch(
        () => [] as string[],
      );
      found.push(
        ...moves.filter((file) => file.endsWith(".journal")).map((file) => `journal ${file} on ${name}`),
      );
    }
    return found;
  }

  /** Waits until nothing is left over; what is left after `limitMs` is told. */
  async settled(vms: number, limitMs = 60_000): Promise<string[]> {
    let found: string[] = [];
    const isClean = async () => {
      found = await this.leftovers(vms);
      return found.length === 0;
    };
    await until(isClean, { everyMs: 100, limitMs }); // processes and files tell nobody
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab.down();
  }
}
