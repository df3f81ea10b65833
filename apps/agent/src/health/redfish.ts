/**
 * What the host's BMC tells by Redfish (DMTF DSP0266): each part of its chassis and systems with its own judgement, `OK`, `Warning` or
 * `Critical`. A critical fan, temperature, voltage, processor or memory is severe; a power supply or drive that is critical beside others that
 * work is moderate. Both shapes of the standard are read, `Thermal` and `Power` and the later subsystems. What is not understood is passed over.
 */
import { readFile } from "node:fs/promises";
import type { HealthState } from "@godwit/contract";
import { askPinned } from "@godwit/http";
import { z } from "zod";
import type { AgentConfig } from "../config.ts";
import { SourceAbsent, type HealthSource, type Symptom } from "./health-source.ts";
import { KeptSymptoms } from "./program.ts";

/** A BMC answers slowly, and each part is a question. */
const everyMs = 60_000;
const mostParts = 16;
const mostEntries = 256;

/** Asks for a resource; null: there is none. @throws Error with a reason */
export type AskRedfish = (path: string) => Promise<unknown>;
type BmcConfig = NonNullable<AgentConfig["bmc"]>["redfish"];

export class Redfish implements HealthSource {
  readonly name = "redfish";
  readonly #ask: AskRedfish | null;
  readonly #kept = new KeptSymptoms(everyMs);

  constructor(ask: AskRedfish | null) {
    this.#ask = ask;
  }

  look(nowMs: number): Promise<Symptom[]> {
    const ask = this.#ask;
    if (ask === null)
      throw new SourceAbsent("no Redfish service is configured (bmc: redfish in /etc/godwit/agent.yaml)");
    return this.#kept.at(nowMs, () => redfishSymptoms(ask));
  }
}

/** The password is read each time: who changes it restarts nothing. */
export const asksRedfish =
  ({ url, user, passwordFile, fingerprint }: BmcConfig): AskRedfish =>
  async (path) => {
    const password = (await readFile(passwordFile, "utf8")).trim();
    const { status, body } = await askPinned({ url, user, password, fingerprint: fingerprint ?? null }, path);
    if (status === 404) return null;
    if (status === 401 || status === 403)
      throw new Error(`the BMC does not let user ${user} in (status ${String(status)})`);
    if (status !== 200)
      throw new Error(`the BMC answers ${path.slice(0, 100)} with status ${String(status)}`);
    return body;
  };

const text = z.string().max(500);
const link = z.looseObject({ "@odata.id": z.string().max(1000) });
const members = z.looseObject({ Members: z.array(link).max(1000) });
const root = z.looseObject({ Chassis: link.optional(), Systems: link.optional() });
const status = z.looseObject({ State: text.nullish(), Health: text.nullish() });
const part = z.looseObject({
  Name: text.nullish(),
  MemberId: text.nullish(),
  Id: text.nullish(),
  Status: status.nullish(),
  Reading: z.number().nullish(),
  ReadingCelsius: z.number().nullish(),
  ReadingVolts: z.number().nullish(),
});
const parts = z.array(z.unknown()).max(10_000).nullish();
const thermal = z.looseObject({ Temperatures: parts, Fans: parts });
const power = z.looseObject({ PowerSupplies: parts, Voltages: parts, Redundancy: parts });
const chassis = z.looseObject({
  Thermal: link.nullish(),
  Power: link.nullish(),
  ThermalSubsystem: link.nullish(),
  PowerSubsystem: link.nullish(),
});
const subsystem = z.looseObject({ Fans: link.nullish(), PowerSupplies: link.nullish() });
const system = z.looseObject({
  MemorySummary: z.looseObject({ Status: status.nullish() }).nullish(),
  ProcessorSummary: z.looseObject({ Status: status.nullish() }).nullish(),
  Storage: link.nullish(),
});
const storage = z.looseObject({ Drives: z.array(link).max(1000).nullish() });

/** @throws Error where the service does not answer, or is none */
export async function redfishSymptoms(ask: AskRedfish): Promise<Symptom[]> {
  const start = root.safeParse(await ask("/redfish/v1/"));
  if (!start.success) throw new Error("what answers there is no Redfish service");
  const { Chassis, Systems } = start.data;
  const found: Symptom[] = [];
  for (const one of await all(ask, Chassis, chassis)) found.push(...(await ofChassis(ask, one)));
  for (const one of await all(ask, Systems, system)) found.push(...(await ofSystem(ask, one)));
  return found.slice(0, mostEntries);
}

async function ofChassis(ask: AskRedfish, one: z.infer<typeof chassis>): Promise<Symptom[]> {
  const heat = await read(ask, one.Thermal, thermal);
  const current = await read(ask, one.Power, power);
  const air = await read(ask, one.ThermalSubsystem, subsystem);
  const supply = await read(ask, one.PowerSubsystem, subsystem);
  // Who has both shapes tells the same twice.
  const fans = heat?.Fans ?? (await all(ask, air?.Fans, z.unknown()));
  const supplies = current?.PowerSupplies ?? (await all(ask, supply?.PowerSupplies, z.unknown()));
  return [
    ...symptoms("fan", fans, "severe"),
    ...symptoms("temperature", heat?.Temperatures, "severe"),
    ...symptoms("voltage", current?.Voltages, "severe"),
    ...symptoms("power supply", supplies, "moderate"),
    ...symptoms("redundancy", current?.Redundancy, "moderate"),
  ];
}

async function ofSystem(ask: AskRedfish, one: z.infer<typeof system>): Promise<Symptom[]> {
  const stores = await all(ask, one.Storage, storage);
  const drives: unknown[] = [];
  for (const { Drives } of stores)
    for (const drive of (Drives ?? []).slice(0, mostParts)) drives.push(await ask(drive["@odata.id"]));
  return [
    ...symptoms("memory", [{ Name: "all modules", Status: one.MemorySummary?.Status }], "severe"),
    ...symptoms("processors", [{ Name: "all", Status: one.ProcessorSummary?.Status }], "severe"),
    ...symptoms("drive", drives, "moderate"),
  ];
}

/** @param critical what a critical one of this kind means for the host */
function symptoms(
  kind: string,
  found: readonly unknown[] | null | undefined,
  critical: HealthState,
): Symptom[] {
  return (found ?? []).slice(0, mostEntries).flatMap((entry): Symptom[] => {
    const { data } = part.safeParse(entry);
    const health = data?.Status?.Health;
    if (
      data === undefined ||
      data.Status?.State === "Absent" ||
      (health !== "Warning" && health !== "Critical")
    )
      return [];
    const name = data.Name ?? data.MemberId ?? data.Id ?? "without a name";
    return [
      {
        component: `${kind} ${name}`.slice(0, 200),
        state: health === "Critical" ? critical : "moderate",
        evidence: `its BMC calls it ${health === "Critical" ? "critical" : "in need of attention"}${readingOf(data)}`,
      },
    ];
  });
}

function readingOf({
  ReadingCelsius: degrees,
  ReadingVolts: volts,
  Reading: rpm,
}: z.infer<typeof part>): string {
  if (degrees != null) return `, at ${String(degrees)} °C`;
  if (volts != null) return `, at ${String(volts)} V`;
  return rpm == null ? "" : `, at ${String(rpm)}`;
}

async function read<T extends z.ZodType>(
  ask: AskRedfish,
  to: z.infer<typeof link> | null | undefined,
  schema: T,
): Promise<z.output<T> | null> {
  if (to == null) return null;
  const { data } = schema.safeParse(await ask(to["@odata.id"]));
  return data ?? null;
}

/** The members of a collection, as many as are asked for. */
async function all<T extends z.ZodType>(
  ask: AskRedfish,
  to: z.infer<typeof link> | null | undefined,
  schema: T,
): Promise<z.output<T>[]> {
  const collection = await read(ask, to, members);
  const found: z.output<T>[] = [];
  for (const member of (collection?.Members ?? []).slice(0, mostParts)) {
    const one = await read(ask, member, schema);
    if (one !== null) found.push(one);
  }
  return found;
}
