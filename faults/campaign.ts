/**
 * Runs cells one after the other. One lab serves many of them; after a cell that failed a new one is made,
 * and what the old one wrote down is kept where that was asked for.
 */
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Load, vmAddress } from "@godwit/lab";
import { TestLab } from "@godwit/test-kit";
import { runCell, type CellResult } from "./cell.ts";
import type { Fault } from "./fault.ts";
import type { Phase } from "./phases.ts";

const vmName = "web-1";
/** A busy machine may keep a move from coming to its phase: that says nothing of the fault. */
const attempts = 3;

export interface PlannedCell {
  phase: Phase;
  fault: Fault;
}

export interface CampaignOptions {
  /** The QEMU of both hosts, a path or the beginning of a version; null: the newest of this machine. */
  qemu: string | null;
  /** Where the logs and journals of labs in which a cell failed are kept; null: nowhere. */
  keep: string | null;
  onTrouble: (text: string) => void;
}

export class Campaign implements AsyncDisposable {
  readonly #options: CampaignOptions;
  #lab: Promise<TestLab> | null = null;
  #ended = false;

  constructor(options: CampaignOptions) {
    this.#options = options;
  }

  /** @throws when the phase is not reached, however often it is tried */
  async cell({ phase, fault }: PlannedCell): Promise<CellResult> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#lab ??= makeLab(this.#options.qemu);
        const result = await runCell(await this.#lab, vmName, phase, fault);
        if (result.problems.length > 0) await this.#giveUpLab(`${phase}-${fault.name}`);
        return result;
      } catch (error) {
        if (this.#ended) throw error;
        const text = error instanceof Error ? error.message : String(error);
        this.#options.onTrouble(`${phase} ${fault.name}, attempt ${String(attempt)}: ${text}`);
        await this.#giveUpLab(`${phase}-${fault.name}-${String(attempt)}`);
        if (attempt === attempts) throw error;
      }
    }
  }

  async #giveUpLab(name: string): Promise<void> {
    const lab = await this.#lab?.catch(() => null);
    this.#lab = null;
    if (lab == null) return;
    if (this.#options.keep !== null) await keepRecords(lab, join(this.#options.keep, name));
    await lab[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    const lab = await this.#lab?.catch(() => null);
    await lab?.[Symbol.asyncDispose]();
  }
}

async function makeLab(qemu: CampaignOptions["qemu"]): Promise<TestLab> {
  const lab = await TestLab.start({
    hosts: ["a", "b"],
    ...(qemu === null ? {} : { qemu: { a: qemu, b: qemu } }),
    pausePoints: true,
    ownStorage: true,
    stateMib: 16,
  });
  try {
    await lab.boot({ name: vmName, on: "a", memoryMib: 192 });
    await using _answers = await Load.start(lab.lab.id, vmAddress(0), false);
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

async function keepRecords(lab: TestLab, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await cp(join(lab.lab.folder, "logs"), join(folder, "logs"), { recursive: true });
  for (const { name } of lab.lab.hosts) {
    const moves = join(lab.lab.host(name).stateFolder, "agent/moves");
    await cp(moves, join(folder, `moves-${name}`), { recursive: true }).catch(() => undefined);
  }
}
