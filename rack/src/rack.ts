/**
 * A rack: emulated servers with kernels, systemd and KVM of their own, and their networks. Nothing outside of its
 * namespace and its folders is touched; `down` removes all of it but what is kept for the next one (the cache).
 */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { ensureQemu, findQemus } from "@godwit/lab";
import { endProcess, run, UndoStack } from "@godwit/system";
import { baseImage, overlay } from "./base.ts";
import { rackFolder, rackIdPattern } from "./names.ts";
import { makeNetworks, networksExist, processesIn, removeNetworks } from "./networks.ts";
import { readRackFile, writeRackFile, type RackFile } from "./rack-file.ts";
import { debianVersion, installedRoot, rackRoot, type Root } from "./root.ts";
import { isSaved, savedStateOf, type SavedState } from "./saved-state.ts";
import { Server, type OpenRack } from "./server.ts";
import { settingsOf } from "./server-settings.ts";
import { filesIn, qemuArguments, type ServerSpec } from "./server-spec.ts";

export interface RackOptions {
  id: string;
  servers: readonly ServerSpec[];
  /** Of the servers' processes: -20 to 19. They take all of the processor that they get. */
  nice: number;
  /** Whether Godwit's packages are installed already. */
  installed: boolean;
  onStep: (text: string) => void;
}

/** The oldest QEMU whose state files can be loaded as they lie. */
const leastQemu = 9;

export class Rack implements AsyncDisposable {
  readonly servers: readonly Server[];
  readonly #file: RackFile;

  private constructor(file: RackFile) {
    this.#file = file;
    const open: OpenRack = {
      file,
      save: async () => {
        await writeRackFile(file);
      },
    };
    this.servers = file.servers.map((record) => new Server(open, record));
  }

  get id(): string {
    return this.#file.id;
  }

  /**
   * Makes a rack whose servers have booted; when something fails nothing of it stays.
   * @throws NOT_ROOT, USAGE, PROGRAM_MISSING, PROGRAM_FAILED
   */
  static async up({ id, servers, nice, installed, onStep }: RackOptions): Promise<Rack> {
    await refuse(id);
    await ensureQemu(onStep);
    const [newest] = await findQemus();
    if (newest === undefined || Number(newest.version.split(".")[0]) < leastQemu) {
      throw GodwitError.of("USAGE", {
        what: `The rack's servers need QEMU ${String(leastQemu)} or newer, which this machine does not have.`,
        hint: "godwit setup unpacks one.",
      });
    }
    await using undo = new UndoStack(() => undefined);
    undo.push("remove the rack", () => removeRack(id));
    await mkdir(rackFolder(id), { recursive: true });
    const roots = new Map<string, Root>();
    for (const { suite } of servers) {
      if (roots.has(suite)) continue;
      const bare = await rackRoot(suite, onStep);
      roots.set(suite, installed ? await installedRoot(bare, onStep) : bare);
    }
    const rootOf = (spec: ServerSpec) => {
      const root = roots.get(spec.suite);
      if (root === undefined) throw new TypeError(`no root was made for ${spec.suite}`);
      return root;
    };
    const file: RackFile = {
      version: 1,
      id,
      qemu: newest.binary,
      nice,
      servers: servers.map((spec) => {
        const { kernel, initrd } = rootOf(spec);
        return { spec: { ...spec }, boot: { kernel, initrd }, process: null };
      }),
    };
    await writeRackFile(file);
    await makeNetworks(id);
    const rack = new Rack(file);
    for (const server of rack.servers) await rack.#start(server, rootOf(server.spec), onStep);
    undo.commit();
    return rack;
  }

  /** A rack that is up. @throws USAGE */
  static async open(id: string): Promise<Rack> {
    return new Rack(await readRackFile(id));
  }

  /** @throws TypeError when there is no such server */
  server(name: string): Server {
    const found = this.servers.find((server) => server.name === name);
    if (found === undefined) throw new TypeError(`the rack has no server ${name}`);
    return found;
  }

  async down(): Promise<void> {
    await removeRack(this.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  async #start(server: Server, root: Root, say: (text: string) => void): Promise<void> {
    const state = stateOf(server.spec, root, this.#file.qemu);
    if (!(await isSaved(state))) await this.#boot(server.spec, root, state, say);
    say(`starting ${server.name}`);
    await makeDisks(server, state.disk);
    await server.powerOn(state);
    await server.setClock();
    for (const [path, content] of Object.entries(settingsOf(server.spec))) await server.write(path, content);
    await server.shell(
      `hostnamectl set-hostname ${server.name} && systemctl restart systemd-networkd && systemd-machine-id-setup`,
    );
  }

  /** Boots a server without a name, once, for all that are like it. */
  async #boot(like: ServerSpec, root: Root, state: SavedState, say: (text: string) => void): Promise<void> {
    const base = await baseImage(root, say);
    say(`booting a bare Debian ${await debianVersion(root)} (once; minutes)`);
    const spec = { ...like, name: "bare", number: bareNumber };
    const record = { spec, boot: { kernel: root.kernel, initrd: root.initrd }, process: null };
    const bare = new Server({ file: this.#file, save: () => writeRackFile(this.#file) }, record);
    await makeDisks(bare, base);
    await bare.powerOn();
    await bare.booted();
    await bare.run("modprobe", "kvm_amd");
    // Each server makes its own.
    await bare.write("/etc/machine-id", "");
    await bare.run("sync");
    await bare.save(state);
    await rm(bare.folder, { recursive: true });
  }
}

/** The last part of the addresses of a server that has no name yet. */
const bareNumber = 10;

async function makeDisks({ folder, files, spec }: Server, backing: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await overlay(backing, files.disk);
  await run("truncate", ["-s", `${String(spec.dataGib)}G`, files.data], { what: "making a disk" });
}

/** A state fits every server that has the same hardware. */
function stateOf(spec: ServerSpec, root: Root, qemu: string): SavedState {
  const unnamed = { ...spec, name: "", number: bareNumber };
  return savedStateOf(spec.suite, [root.key, qemu, ...qemuArguments(unnamed, filesIn(""), root, true)]);
}

/** Ends everything of a rack, also of one that was only half made. */
export async function removeRack(id: string): Promise<void> {
  if (await networksExist(id)) {
    for (const identity of await processesIn(id)) await endProcess(identity, "SIGKILL", 0);
  }
  await removeNetworks(id);
  await rm(rackFolder(id), { recursive: true, force: true });
}

async function refuse(id: string): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw GodwitError.of("NOT_ROOT", { what: "A rack makes network namespaces and" });
  }
  if (!rackIdPattern.test(id)) {
    throw GodwitError.of("USAGE", {
      what: `A rack's id is 1 to 8 lower-case letters and digits; ${id} is not.`,
      hint: "npm run rack -- up --id main",
    });
  }
  const file = await readFile(join(rackFolder(id), "rack.json")).catch(() => null);
  if (file !== null || (await networksExist(id))) {
    throw GodwitError.of("USAGE", {
      what: `A rack ${id} exists already.`,
      hint: `Use it, or end it with npm run rack -- down --id ${id}.`,
    });
  }
}
