/**
 * What the host's BMC tells of its sensors, by `ipmitool sdr elist`: fans, temperatures and voltages beyond the limits that the vendor has
 * set, power supplies, redundancy, drives and memory. Beyond a critical limit is severe; a power supply or drive that has failed beside
 * others that work is moderate. Lines that are not understood are passed over.
 */
import { existsSync } from "node:fs";
import type { HealthState } from "@godwit/contract";
import { run } from "@godwit/system";
import { SourceAbsent, type HealthSource, type Symptom } from "./health-source.ts";
import { askedOr, KeptSymptoms, type Ask } from "./program.ts";

/** A BMC answers slowly: hundreds of sensors take some seconds. */
const everyMs = 60_000;
const withinMs = 45_000;
const devices = ["/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0"];
/** More lines are not read. */
const mostLines = 2000;

const asked: Ask = async (args) => {
  if (!devices.some((path) => existsSync(path)))
    throw new SourceAbsent(
      "it has no BMC, or the kernel's driver for it is not loaded (modprobe ipmi_si ipmi_devintf)",
    );
  return (await run("ipmitool", [...args], { what: "reading the BMC's sensors", timeoutMs: withinMs }))
    .stdout;
};

export class Ipmi implements HealthSource {
  readonly name = "ipmi";
  readonly #ask: Ask;
  readonly #kept = new KeptSymptoms(everyMs);

  constructor(ask: Ask = asked) {
    this.#ask = askedOr(ask, "ipmitool is not installed (apt install ipmitool)");
  }

  look(nowMs: number): Promise<Symptom[]> {
    return this.#kept.at(nowMs, async () => ipmiSymptoms(await this.#ask(["sdr", "elist"])));
  }
}

/** `name | number | status | entity | reading`, one sensor a line. */
export const ipmiSymptoms = (text: string): Symptom[] =>
  text.split("\n", mostLines).flatMap((line) => {
    const [name, number, status, entity, ...reading] = line.split("|").map((cell) => cell.trim());
    if (name === undefined || name === "" || !/^[0-9A-Fa-f]{2}h$/.test(number ?? "") || entity === undefined)
      return [];
    // Names repeat, like Temp of each CPU; its number and entity do not.
    const component = `sensor ${name} (${String(number)}, ${entity})`.slice(0, 200);
    const told = reading.join("|").slice(0, 200);
    const found = ofLimits(status ?? "", told) ?? ofState(told);
    return found === null ? [] : [{ component, ...found }];
  });

type Found = Pick<Symptom, "state" | "evidence">;

/** The BMC's own judgement of a reading: beyond a limit that is not critical, critical, or beyond which the hardware breaks. */
const limits: Readonly<Record<string, { state: HealthState; words: string }>> = {
  nc: { state: "moderate", words: "beyond a limit" },
  lnc: { state: "moderate", words: "below a limit" },
  unc: { state: "moderate", words: "above a limit" },
  cr: { state: "severe", words: "beyond a critical limit" },
  lcr: { state: "severe", words: "below a critical limit" },
  ucr: { state: "severe", words: "above a critical limit" },
  nr: { state: "severe", words: "beyond the limit of what it bears" },
  lnr: { state: "severe", words: "below the limit of what it bears" },
  unr: { state: "severe", words: "above the limit of what it bears" },
};

/** Only figures have limits: of a state the BMC may say `cr` where a part is redundant. */
function ofLimits(status: string, reading: string): Found | null {
  const limit = Object.hasOwn(limits, status) ? limits[status] : undefined;
  if (limit === undefined || !/^-?[\d.]+ /.test(reading)) return null;
  return { state: limit.state, evidence: `it is at ${reading}, ${limit.words}` };
}

/** What sensors of states tell, in ipmitool's words for the states of the IPMI specification (table 42-3). */
const states: readonly { words: RegExp; state: HealthState }[] = [
  { words: /uncorrectable ecc|uncorrectable machine check|non-recoverable/i, state: "severe" },
  {
    words: /failure detected|predictive failure|ac lost|input lost|out-of-range|config(uration)? error/i,
    state: "moderate",
  },
  {
    words: /drive fault|in critical array|in failed array|redundancy lost|redundancy degraded|non-redundant/i,
    state: "moderate",
  },
  { words: /correctable ecc logging limit reached|thermal trip|going (low|high)/i, state: "moderate" },
];

function ofState(reading: string): Found | null {
  if (/\bdeasserted\b/i.test(reading)) return null;
  const found = states.find(({ words }) => words.test(reading));
  return found === undefined ? null : { state: found.state, evidence: `it tells: ${reading}` };
}
