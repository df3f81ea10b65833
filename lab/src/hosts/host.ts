/**
 * One host of a lab: its folders, its agent, its sanlock daemon, its power. It is a network namespace and a view of
 * the file system; the programs in it outlive whoever started them.
 */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CpuReport } from "@godwit/contract";
import { markDatastore } from "@godwit/storage";
import { parse, stringify } from "yaml";
import { endProcess, identifyProcess, writeFileAtomic, type ProcessIdentity } from "@godwit/system";
import type { HostRecord, OpenLab } from "../lab-file.ts";
import {
  hostAddress,
  localDatastore,
  migrationAddress6,
  namespaceOf,
  networks,
  spareCard,
  type NetworkName,
} from "../names.ts";
import { endAllIn } from "../remove-lab.ts";
import { addAddress, removeTaps, setLink } from "../switch.ts";
import { agentConfig } from "./agent-config.ts";
import { startSanlock } from "./sanlock.ts";
import { runOnHost, spawnRole } from "./spawn-role.ts";

const allCards = [...(Object.keys(networks) as NetworkName[]), spareCard] as const;

export class LabHost {
  /** Among the lab's hosts, from 0: gives its addresses. */
  readonly index: number;
  readonly #lab: OpenLab;
  readonly #record: HostRecord;

  constructor(lab: OpenLab, record: HostRecord, index: number) {
    this.index = index;
    this.#lab = lab;
    this.#record = record;
  }

  get name(): string {
    return this.#record.name;
  }
  get namespace(): string {
    return namespaceOf(this.#lab.file.id, this.name);
  }
  /** Its /run and /var/lib/godwit, seen from outside, are `run` and `state` in it. */
  get folder(): string {
    return join(this.#lab.folder, "hosts", this.name);
  }
  get stateFolder(): string {
    return join(this.folder, "state");
  }
  /** Its own datastore, in labs that have them. */
  get localFolder(): string {
    return join(this.stateFolder, localDatastore);
  }
  /** Where files hold its moves, and tell that they are held. */
  get pauseFolder(): string {
    return join(this.folder, "pause");
  }
  get agent(): ProcessIdentity | null {
    return this.#record.agent;
  }

  /** Writes the agent's configuration and joins the cluster. @param more further words of the command @throws PROGRAM_FAILED */
  async join(token: string, cpu: CpuReport | null, more: readonly string[] = []): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    if (cpu !== null) await this.simulateCpu(cpu);
    const simulatedCpu = cpu === null ? null : this.#simulatedCpu;
    const { localDatastore: hasLocal } = this.#lab.file;
    if (hasLocal) {
      await mkdir(this.localFolder, { recursive: true });
      await markDatastore({ name: localDatastore, path: this.localFolder, shared: false }, this.name);
    }
    const traits = { simulatedCpu, localDatastore: hasLocal };
    await writeFileAtomic(this.#config, agentConfig(this.#record, this.index, traits));
    const argv = [...this.#lab.program, "host", "join", "--config", this.#config, "--token", token, ...more];
    await runOnHost({ ...this.#view, argv }, `joining host ${this.name}`);
  }

  /** @param environment for tests, beside the machine's own */
  async startAgent(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    const { file, program, logOf, save } = this.#lab;
    if (file.pausePoints) await mkdir(this.pauseFolder, { recursive: true });
    this.#record.agent = await spawnRole({
      what: `the agent of host ${this.name}`,
      ...this.#view,
      log: logOf(`agent-${this.name}`),
      argv: [...program, "agent", "run", "--config", this.#config],
      environment: { ...(file.pausePoints ? { GODWIT_PAUSE_POINTS: this.pauseFolder } : {}), ...environment },
    });
    await save();
  }

  /** Ends the agent and waits until it is gone; its VMs run on. */
  async endAgent(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.agent !== null) await endProcess(this.agent, signal, 10_000);
  }

  /** Gives it a migration address of this family, as an administrator does: its agent is started again with it. */
  async setMigrationFamily(family: 4 | 6): Promise<void> {
    const [four, six] = [hostAddress("migration", this.index), migrationAddress6(this.index)];
    await addAddress(this.namespace, "migration", `${six}/64`);
    await this.configure({ migration: { address: family === 4 ? four : six } });
    await this.endAgent();
    await this.startAgent();
  }

  /** Changes sections of the agent's configuration, which counts from its next start; undefined takes one out. */
  async configure(changes: Readonly<Record<string, object | undefined>>): Promise<void> {
    const config = parse(await readFile(this.#config, "utf8")) as object;
    await writeFileAtomic(this.#config, stringify({ ...config, ...changes }));
  }

  /** Starts the sanlock daemon; without a watchdog, which a namespace cannot have. */
  async startSanlock(): Promise<void> {
    await startSanlock(this.#view);
  }

  async endSanlock(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const path = join(this.folder, "run/sanlock/sanlock.pid");
    const identity = await identifyProcess(Number.parseInt(await readFile(path, "utf8").catch(() => ""), 10));
    if (identity !== null) await endProcess(identity, signal, 10_000);
  }

  /** The host's power is cut: all its processes end at once, its links are down. */
  async cutPower(): Promise<void> {
    for (const card of allCards) await setLink(this.#lab.file.id, this.name, card, false);
    await endAllIn(this.namespace);
  }

  /** The host boots: what it had in memory is gone, its agent starts. */
  async powerOn(): Promise<void> {
    const run = join(this.folder, "run");
    for (const name of await readdir(run)) await rm(join(run, name), { recursive: true, force: true });
    await removeTaps(this.namespace);
    for (const card of allCards) await setLink(this.#lab.file.id, this.name, card, true);
    await this.startSanlock();
    await this.startAgent();
  }

  /** Changes what a host with a simulated CPU passes for, as a microcode update would; told by its next report. */
  async simulateCpu(cpu: CpuReport): Promise<void> {
    await writeFileAtomic(this.#simulatedCpu, JSON.stringify(cpu));
  }

  get #simulatedCpu(): string {
    return join(this.folder, "simulated-cpu.json");
  }
  get #config(): string {
    return join(this.folder, "agent.yaml");
  }
  get #view() {
    return {
      namespace: this.namespace,
      hostname: this.name,
      folder: this.folder,
      shared: this.#lab.sharedFolder,
      forbidsUserfaultfd: this.#lab.file.forbidsUserfaultfd ?? false,
    };
  }
}
