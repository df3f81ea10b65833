import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Disks } from "../src/health/disks.ts";
import { Health } from "../src/health/health.ts";
import { SourceAbsent, type HealthSource, type Symptom } from "../src/health/health-source.ts";
import { Links } from "../src/health/links.ts";
import { MemoryErrors } from "../src/health/memory-errors.ts";
import { Pressure } from "../src/health/pressure.ts";
import { Sensors } from "../src/health/sensors.ts";
import { Steady } from "../src/health/steady.ts";
import { Throttling } from "../src/health/throttling.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "health-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Files as a kernel shows them. */
async function files(contents: Record<string, string | number>): Promise<void> {
  for (const [path, text] of Object.entries(contents)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), `${String(text)}\n`);
  }
}
const told = (symptoms: Symptom[]) =>
  symptoms.map(({ component, state, evidence }) => `${state} ${component}: ${evidence}`);
const minuteMs = 60_000;

describe("sensors", () => {
  test("a host without any says why nothing is told", () => {
    expect(() => new Sensors(join(folder, "none")).look()).toThrow(SourceAbsent);
  });

  test("a fan that stands still is severe if it turned before, or has a least speed; one that was never there is not", async () => {
    const sensors = new Sensors(folder);
    await files({
      "hwmon0/name": "nct6775",
      "hwmon0/fan1_input": 2400,
      "hwmon0/fan2_input": 0,
      "hwmon0/fan3_input": 0,
      "hwmon0/fan3_min": 600,
      "hwmon0/fan3_label": "Rear",
    });
    expect(told(sensors.look())).toEqual(["severe Rear of nct6775: it stands still"]);
    await files({ "hwmon0/fan1_input": 0, "hwmon0/fan3_input": 400 });
    expect(told(sensors.look())).toEqual([
      "severe fan1 of nct6775: it stands still",
      "moderate Rear of nct6775: it turns at 400 rpm; 600 is its limit",
    ]);
  });

  test("temperatures against the chip's own limits, alarms, faults", async () => {
    await files({
      "hwmon0/name": "coretemp",
      "hwmon0/temp1_input": 101_000,
      "hwmon0/temp1_crit": 100_000,
      "hwmon0/temp1_max": 80_000,
      "hwmon0/temp1_label": "Package id 0",
      "hwmon0/temp2_input": 85_000,
      "hwmon0/temp2_crit": 100_000,
      "hwmon0/temp2_max": 80_000,
      "hwmon0/temp3_input": 40_000,
      "hwmon0/temp3_max": 0,
      "hwmon1/name": "psu",
      "hwmon1/power1_input": 0,
      "hwmon1/power1_alarm": 1,
      "hwmon1/fan1_input": 900,
      "hwmon1/fan1_fault": 1,
    });
    expect(told(new Sensors(folder).look())).toEqual([
      "severe Package id 0 of coretemp: it is at 101 °C; 100 °C is critical",
      "moderate temp2 of coretemp: it is at 85 °C; 80 °C is its limit",
      "severe fan1 of psu: it reports a fault",
      "moderate power1 of psu: its alarm is on",
    ]);
  });

  test("a sensor that does not answer tells nothing", async () => {
    await files({ "hwmon0/name": "broken", "hwmon0/fan1_input": "N/A", "hwmon0/temp1_input": "" });
    expect(new Sensors(folder).look()).toEqual([]);
  });
});

describe("memory errors", () => {
  test("corrected ones when they come often, uncorrected ones at once", async () => {
    const source = new MemoryErrors(folder);
    const count = (corrected: number, uncorrected = 0) =>
      files({
        "mc0/dimm0/dimm_label": "DIMM_A1",
        "mc0/dimm0/dimm_ce_count": corrected,
        "mc0/dimm0/dimm_ue_count": uncorrected,
      });
    await count(5000);
    // What was counted before the agent started may be a year old.
    expect(source.look(0)).toEqual([]);
    await count(5009);
    expect(source.look(minuteMs)).toEqual([]);
    await count(5012);
    expect(told(source.look(2 * minuteMs))).toEqual([
      "moderate memory module DIMM_A1: it had 12 corrected errors within the hour",
    ]);
    expect(source.look(70 * minuteMs)).toEqual([]);
    await count(5012, 1);
    expect(told(source.look(71 * minuteMs))).toEqual([
      "severe memory module DIMM_A1: it had 1 errors since the boot that could not be corrected",
    ]);
  });

  test("a host without ECC says so", () => {
    expect(() => new MemoryErrors(folder).look(0)).toThrow(/no EDAC driver/);
  });
});

test("a link whose carrier comes and goes, or whose frames come broken; taps do not count", async () => {
  const links = new Links(folder);
  const count = (downs: number, errors: number, packets: number) =>
    files({
      "eth0/device/vendor": "0x8086",
      "eth0/carrier_down_count": downs,
      "eth0/statistics/rx_errors": errors,
      "eth0/statistics/rx_packets": packets,
      "gw0/carrier_down_count": downs * 10,
    });
  await count(1, 7, 1000);
  expect(links.look(0)).toEqual([]);
  await count(5, 507, 50_000);
  expect(told(links.look(minuteMs))).toEqual([
    "moderate interface eth0: it lost its carrier 4 times within the hour",
    "moderate interface eth0: 500 of 49500 frames came broken within ten minutes",
  ]);
  // The same number of broken frames is nothing among very many.
  await count(5, 1007, 50_000_000);
  expect(links.look(30 * minuteMs).map(({ evidence }) => evidence)).toEqual([
    "it lost its carrier 4 times within the hour",
  ]);
});

test("CPUs that slow down for heat, counted over all of them", async () => {
  const source = new Throttling(folder);
  expect(() => source.look(0)).toThrow(SourceAbsent);
  await files({
    "cpu0/thermal_throttle/core_throttle_count": 100,
    "cpu1/thermal_throttle/core_throttle_count": 100,
  });
  expect(source.look(0)).toEqual([]);
  await files({
    "cpu0/thermal_throttle/core_throttle_count": 106,
    "cpu1/thermal_throttle/core_throttle_count": 106,
  });
  expect(told(source.look(minuteMs))).toEqual([
    "moderate the CPUs: they slowed down for heat 12 times within ten minutes",
  ]);
});

test("pressure over minutes, not over a moment", async () => {
  await files({
    io: "some avg10=99.00 avg60=99.00 avg300=60.00 total=1\nfull avg10=99.00 avg60=90.00 avg300=55.20 total=1",
    memory:
      "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=90.00 avg60=50.00 avg300=2.00 total=1",
    cpu: "some avg10=10.00 avg60=10.00 avg300=10.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0",
  });
  expect(told(new Pressure(folder).look())).toEqual([
    "moderate io: 55 % of the time nothing went on for waiting on storage",
  ]);
  expect(() => new Pressure(join(folder, "none")).look()).toThrow(SourceAbsent);
});

describe("disks", () => {
  const answers =
    (disks: Record<string, object>): ((args: readonly string[]) => Promise<string>) =>
    (args) =>
      Promise.resolve(
        JSON.stringify(
          args.includes("--scan-open")
            ? { devices: Object.keys(disks).map((name) => ({ name, type: "auto" })) }
            : disks[args.at(-1) ?? ""],
        ),
      );

  test("what SMART and NVMe's log tell", async () => {
    const disks = new Disks(
      answers({
        "/dev/sda": { model_name: "ST4000", smart_status: { passed: false } },
        "/dev/sdb": {
          smart_status: { passed: true },
          ata_smart_attributes: {
            table: [
              { id: 5, raw: { value: 9 } },
              { id: 197, raw: { value: 8 } },
            ],
          },
        },
        "/dev/nvme0": { nvme_smart_health_information_log: { critical_warning: 8, percentage_used: 12 } },
        "/dev/nvme1": { nvme_smart_health_information_log: { critical_warning: 0, percentage_used: 104 } },
        "/dev/sdc": { smart_status: { passed: true } },
      }),
    );
    expect(told(await disks.look(0))).toEqual([
      "severe disk /dev/sda (ST4000): it expects to fail",
      "moderate disk /dev/sdb: 8 of its sectors cannot be read",
      "severe disk /dev/nvme0: it is unreliable or read-only by its own word",
      "moderate disk /dev/nvme1: it has been written for longer than it is made for",
    ]);
  });

  test("where smartctl is not installed, that is said", async () => {
    const missing = new Disks(() =>
      Promise.reject(GodwitError.of("PROGRAM_MISSING", { program: "smartctl", package: "smartmontools" })),
    );
    await expect(missing.look(0)).rejects.toThrow(SourceAbsent);
  });
});

describe("steady", () => {
  const hot: Symptom = { component: "cpu", state: "moderate", evidence: "81 °C" };
  const states = (steady: Steady) => steady.findings.map(({ state, evidence }) => `${state} ${evidence}`);

  test("seen twice it counts, and until it was away for ten minutes; once it is nothing", () => {
    const steady = new Steady();
    steady.saw("sensors", [hot], 0);
    expect(states(steady)).toEqual([]);
    steady.saw("sensors", [], 1);
    steady.saw("sensors", [hot], 2);
    expect(states(steady)).toEqual([]);
    steady.saw("sensors", [{ ...hot, evidence: "82 °C" }], 3);
    expect(steady.findings[0]?.since).toBeDefined();
    // The evidence is of when it began: no news with every look.
    expect(states(steady)).toEqual(["moderate 81 °C"]);
    steady.saw("sensors", [], 9 * minuteMs);
    expect(states(steady)).toEqual(["moderate 81 °C"]);
    steady.saw("sensors", [], 11 * minuteMs);
    expect(states(steady)).toEqual([]);
  });

  test("severe stays severe while it comes and goes between the two", () => {
    const steady = new Steady();
    const severe: Symptom = { ...hot, state: "severe", evidence: "101 °C" };
    steady.saw("sensors", [severe], 0);
    steady.saw("sensors", [hot], 1);
    expect(states(steady)).toEqual(["severe 101 °C"]);
    steady.saw("sensors", [hot], 11 * minuteMs);
    expect(states(steady)).toEqual(["moderate 81 °C"]);
  });

  test("one source's look says nothing of another's", () => {
    const steady = new Steady();
    for (const at of [0, 1]) steady.saw("sensors", [hot], at);
    steady.saw("links", [], 20 * minuteMs);
    expect(states(steady)).toHaveLength(1);
  });
});

test("a source that cannot be read keeps what it told: a failure to look is no recovery", async () => {
  let answer: () => Symptom[] = () => [{ component: "fan1", state: "severe", evidence: "it stands still" }];
  const source: HealthSource = { name: "sensors", look: () => answer() };
  const health = new Health(pino({ level: "silent" }), [source]);
  expect(health.now).toBeNull();
  await health.look(0);
  await health.look(1);
  expect(health.now?.findings).toHaveLength(1);
  answer = () => {
    throw new Error("EIO");
  };
  await health.look(20 * minuteMs);
  expect(health.now).toMatchObject({ findings: [{ state: "severe" }], sources: [{ absent: "EIO" }] });
});
