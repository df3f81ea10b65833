/**
 * This host's CPU: what the identification utility reads of it or, in a lab, what the host is to pass for. It is
 * read again now and then: microcode that is loaded while the host runs takes features away.
 */
import { readFile } from "node:fs/promises";
import { cpuReportSchema, GodwitError, type CpuReport, type QemuFacts } from "@godwit/contract";
import { cpuOf, limitedTo } from "@godwit/cpu";
import type { Hypervisor } from "@godwit/hypervisor";
import type { Logger } from "pino";

export class HostCpu {
  readonly #simulated: CpuReport | null;
  readonly #hypervisor: Hypervisor;

  private constructor(simulated: CpuReport | null, hypervisor: Hypervisor, _log: Logger) {
    this.#simulated = simulated;
    this.#hypervisor = hypervisor;
  }

  /** @param simulated file with the report to pass for. @throws FILE_UNREADABLE, CONFIG_INVALID */
  static async open(simulated: string | undefined, hypervisor: Hypervisor, log: Logger): Promise<HostCpu> {
    return new HostCpu(simulated === undefined ? null : await readReport(simulated), hypervisor, log);
  }

  get isSimulated(): boolean {
    return this.#simulated !== null;
  }

  /** Null where nothing could be read. */
  async report(): Promise<CpuReport | null> {
    if (this.#simulated !== null) return this.#simulated;
    return null;
  }

  /** What QEMU can give, as far as the CPU that is simulated has it. */
  async limit(facts: QemuFacts): Promise<QemuFacts> {
    if (this.#simulated === null) return facts;
    return limitedTo(facts, await this.#hypervisor.modelFeatures(), cpuOf(this.#simulated));
  }
}

async function readReport(path: string): Promise<CpuReport> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw GodwitError.of("FILE_UNREADABLE", { path, reason }, { cause: error });
  }
  try {
    return cpuReportSchema.parse(JSON.parse(text));
  } catch (error) {
    const problems = ["simulatedCpu must name a report made by godwit cpu report --json"];
    throw GodwitError.of("CONFIG_INVALID", { path, problems }, { cause: error });
  }
}
