/** What a BMC tells by ipmitool: lines as Dell, HP and Supermicro machines write them. */
import { GodwitError, healthFindingSchema } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SourceAbsent } from "../src/health/health-source.ts";
import { Ipmi, ipmiSymptoms } from "../src/health/ipmi.ts";

const told = (text: string) =>
  ipmiSymptoms(text).map(({ component, state, evidence }) => `${state} ${component}: ${evidence}`);

const well = `Inlet Temp       | 04h | ok  |  7.1 | 21 degrees C
Temp             | 0Eh | ok  |  3.1 | 33 degrees C
Temp             | 0Fh | ok  |  3.2 | 34 degrees C
Fan1             | 30h | ok  |  7.1 | 3480 RPM
FAN3             | 43h | ns  | 29.3 | No Reading
PS1 Status       | C8h | ok  | 10.1 | Presence detected
PS1 PG FAIL      | 09h | ok  |  7.1 | State Deasserted
Power Redundancy | 02h | ok  | 21.1 | Fully Redundant
Pwr Unit Stat    | 01h | ok  | 21.1 |
12V              | 30h | ok  |  7.48 | 12.06 Volts
Drive 4          | 64h | ok  |  4.4 | Drive Present
Status           | 60h | ok  | 10.1 | 0x01
`;

test("a machine that is well tells nothing", () => {
  expect(told(well)).toEqual([]);
});

test("readings beyond their limits, a critical one is severe", () => {
  const text = `CPU1 Temp        | 01h | ucr |  3.1 | 98 degrees C
Inlet Temp       | 04h | unc |  7.1 | 43 degrees C
FAN1             | 41h | lcr | 29.1 | 0 RPM
12V              | 30h | nr  |  7.48 | 9.80 Volts
`;
  expect(told(text)).toEqual([
    "severe sensor CPU1 Temp (01h, 3.1): it is at 98 degrees C, above a critical limit",
    "moderate sensor Inlet Temp (04h, 7.1): it is at 43 degrees C, above a limit",
    "severe sensor FAN1 (41h, 29.1): it is at 0 RPM, below a critical limit",
    "severe sensor 12V (30h, 7.48): it is at 9.80 Volts, beyond the limit of what it bears",
  ]);
});

test("states: a part that failed beside others is moderate, memory that was read wrong is severe", () => {
  const text = `PS1 Status       | C8h | ok  | 10.1 | Presence detected, Failure detected
PS2 Status       | 71h | cr  | 10.2 | Presence detected, Power Supply AC lost
Power Supply 1   | 06h | ok  | 10.1 | 0 Watts, Presence detected, Failure detected
PS Redundancy    | 77h | nc  | 21.1 | Redundancy Lost
Power Supplies   | 08h | ok  | 10.3 | Non-Redundant: Sufficient from Redundant
Drive 4          | 64h | ok  |  4.4 | Drive Present, Drive Fault
ECC Uncorr Err   | 02h | ok  | 34.1 | Uncorrectable ECC
`;
  expect(told(text).map((line) => line.slice(0, line.indexOf(":")))).toEqual([
    "moderate sensor PS1 Status (C8h, 10.1)",
    "moderate sensor PS2 Status (71h, 10.2)",
    "moderate sensor Power Supply 1 (06h, 10.1)",
    "moderate sensor PS Redundancy (77h, 21.1)",
    "moderate sensor Power Supplies (08h, 10.3)",
    "moderate sensor Drive 4 (64h, 4.4)",
    "severe sensor ECC Uncorr Err (02h, 34.1)",
  ]);
});

test("whatever a BMC writes, what follows can be told, and lines of another form are passed over", () => {
  const cell = fc.oneof(
    fc.string(),
    fc.constantFrom("ok", "ucr", "nr", "0Eh", "3.1", "98 degrees C", "Failure detected", "__proto__"),
  );
  const anyText = fc
    .array(
      fc.array(cell, { maxLength: 7 }).map((cells) => cells.join(" | ")),
      { maxLength: 30 },
    )
    .map((lines) => lines.join("\n"));
  fc.assert(
    fc.property(anyText, (text) => {
      for (const symptom of ipmiSymptoms(text))
        expect(
          healthFindingSchema.safeParse({ ...symptom, source: "ipmi", since: "2026-11-29T00:00:00Z" })
            .success,
        ).toBe(true);
    }),
  );
  expect(
    told("Error: Unable to establish IPMI v2 / RMCP+ session\n||||\n | 0Eh | ucr | 3.1 | 98 degrees C"),
  ).toEqual([]);
});

test("it is asked once a minute; a host without the program says what to install, and a failure is none of these", async () => {
  let asks = 0;
  const ipmi = new Ipmi((args) => {
    expect(args).toEqual(["sdr", "elist"]);
    asks += 1;
    return Promise.resolve(well);
  });
  await ipmi.look(0);
  await ipmi.look(59_000);
  await ipmi.look(61_000);
  expect(asks).toBe(2);
  const missing = GodwitError.of("PROGRAM_MISSING", { program: "ipmitool", package: "ipmitool" });
  const lacking = new Ipmi(() => Promise.reject(missing));
  await expect(lacking.look(0)).rejects.toThrow("ipmitool is not installed (apt install ipmitool)");
  await expect(lacking.look(0)).rejects.toBeInstanceOf(SourceAbsent);
  const busy = new Ipmi(() => Promise.reject(new Error("the BMC is busy")));
  await expect(busy.look(0)).rejects.not.toBeInstanceOf(SourceAbsent);
});
