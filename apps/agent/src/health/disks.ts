/**
 * Disks as they judge themselves: SMART of ATA and SAS disks, and the health log of NVMe, by smartctl (smartmontools). A disk that
 * expects to fail, or an NVMe that is read-only or unreliable, is severe.
 */
import { run } from "@godwit/system";
import { z } from "zod";
import { SourceAbsent, type HealthSource, type Symptom } from "./health-source.ts";
import { askedOr, KeptSymptoms, type Ask } from "./program.ts";

/** Asking wakes nothing, but takes a disk's time. */
const everyMs = 600_000;

const scanSchema = z.object({
  devices: z.array(z.object({ name: z.string(), type: z.string() })).optional(),
});
const diskSchema = z.object({
  model_name: z.string().optional(),
  smart_status: z.object({ passed: z.boolean() }).optional(),
  nvme_smart_health_information_log: z
    .object({ critical_warning: z.int(), percentage_used: z.int(), media_errors: z.int().optional() })
    .optional(),
  ata_smart_attributes: z
    .object({ table: z.array(z.object({ id: z.int(), raw: z.object({ value: z.number() }) })) })
    .optional(),
});

/** smartctl encodes the disk's state in its exit code. */
const anyCode = Array.from({ length: 256 }, (_, code) => code);
const asked: Ask = async (args) =>
  (await run("smartctl", [...args], { what: "reading what disks tell of themselves", okCodes: anyCode }))
    .stdout;

export class Disks implements HealthSource {
  readonly name = "disks";
  readonly #ask: Ask;
  readonly #kept = new KeptSymptoms(everyMs);

  constructor(ask: Ask = asked) {
    this.#ask = askedOr(ask, "smartctl is not installed (apt install smartmontools)");
  }

  look(nowMs: number): Promise<Symptom[]> {
    return this.#kept.at(nowMs, () => this.#read());
  }

  async #read(): Promise<Symptom[]> {
    const scan = scanSchema.safeParse(JSON.parse(await this.#ask(["--scan-open", "--json"])));
    if (!scan.success) throw new Error("smartctl answered --scan-open otherwise than it is known to");
    const { devices = [] } = scan.data;
    if (devices.length === 0) throw new SourceAbsent("no disk of it tells of itself (smartctl --scan-open)");
    const symptoms: Symptom[] = [];
    for (const { name, type } of devices) {
      const text = await this.#ask(["--health", "--attributes", "--json", "--device", type, name]);
      const parsed = diskSchema.safeParse(JSON.parse(text));
      if (parsed.success) symptoms.push(...judge(name, parsed.data));
    }
    return symptoms;
  }
}

/** Attributes of ATA disks: sectors that could not be read, or not be replaced. */
const unreadable = new Set([197, 198]);

function judge(name: string, disk: z.infer<typeof diskSchema>): Symptom[] {
  const component = `disk ${name}${disk.model_name === undefined ? "" : ` (${disk.model_name})`}`;
  const nvme = disk.nvme_smart_health_information_log;
  if (disk.smart_status?.passed === false)
    return [{ component, state: "severe", evidence: "it expects to fail" }];
  // Bits of the NVMe specification: 2 is unreliable, 3 read-only.
  if (nvme !== undefined && (nvme.critical_warning & 0b1100) !== 0)
    return [{ component, state: "severe", evidence: "it is unreliable or read-only by its own word" }];
  const sectors = (disk.ata_smart_attributes?.table ?? [])
    .filter(({ id }) => unreadable.has(id))
    .reduce((most, { raw }) => Math.max(most, raw.value), 0);
  const reasons = [
    ...(nvme !== undefined && nvme.critical_warning !== 0
      ? [`it warns (critical warning ${String(nvme.critical_warning)})`]
      : []),
    ...(nvme !== undefined && nvme.percentage_used >= 100
      ? ["it has been written for longer than it is made for"]
      : []),
    ...(sectors > 0 ? [`${String(sectors)} of its sectors cannot be read`] : []),
  ];
  return reasons.map((evidence) => ({ component, state: "moderate", evidence }));
}
