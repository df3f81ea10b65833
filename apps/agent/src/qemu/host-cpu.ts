/**
 * This host's CPU: what the identification utility reads of it or, in a lab, what the host is to pass for. It is
 * read again now and then: microcode that is loaded while the host runs takes features away.
 */
import { readFile } from "node:fs/promises";
import { cpuReportSchema, GodwitError, type CpuReport, type QemuFacts } from "@godwit/contract";
import { cpuOf, limitedQemuFacts, reportOf } from "@godwit/cpu";
import type { Hypervisor } from "@godwit/hypervisor";
import { readHostCpu } from "@godwit/host-cpu";
import type { Logger } from "pino";

const keptMs = 60_000;

export class HostCpu {
  readonly #simulated: string | undefined;
  readonly #hypervisor: Hypervisor;
  readonly #log: Logger;
  #read: { atMs: number; report: Promise<CpuReport | null> } | null = null;

  private constructor(simulated: string | undefined, hypervisor: Hypervisor, log: Logger) {
    this.#simulated = simulated;
    this.#hypervisor = hypervisor;
    this.#log = log;
  }

  /** @param simulated file with the report to pass for. @throws FILE_UNREADABLE, CONFIG_INVALID */
  static async open(simulated: string | undefined, hypervisor: Hypervisor, log: Logger): Promise<HostCpu> {
    if (simulated !== undefined) await readReport(simulated);
    return new HostCpu(simulated, hypervisor, log);
  }

  get isSimulated(): boolean {
    return this.#simulated !== undefined;
  }

  /** Null where nothing could be read. */
  async report(): Promise<CpuReport | null> {
    if (this.#simulated !== undefined) return await readReport(this.#simulated);
    if (this.#read === null || performance.now() - this.#read.atMs > keptMs) {
      const report = readHostCpu().then(reportOf, (error: unknown) => {
        this.#log.warn({ err: error }, "this host's CPU could not be read");
        return null;
      });
      this.#read = { atMs: performance.now(), report };
    }
    return await this.#read.report;
  }

  /** What QEMU can give, as far as the CPU that is simulated has it. */
  async limit(facts: QemuFacts): Promise<QemuFacts> {
    if (this.#simulated === undefined) return facts;
    const report = await readReport(this.#simulated);
    return limitedQemuFacts(facts, await this.#hypervisor.modelFeatures(), cpuOf(report));
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
