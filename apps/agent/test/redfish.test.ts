/** What a BMC tells by Redfish, asked over HTTPS of a service of the standard's shape; and one that means harm. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedfishService } from "@godwit/test-kit/redfish";
import { afterAll, beforeAll, expect, test } from "vitest";
import { agentConfigSchema } from "../src/config.ts";
import { SourceAbsent } from "../src/health/health-source.ts";
import { asksRedfish, Redfish, redfishSymptoms } from "../src/health/redfish.ts";

let folder: string;
let passwordFile: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-redfish-"));
  passwordFile = join(folder, "password");
  await writeFile(passwordFile, "s3cret\n", { mode: 0o600 });
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const chassis = "/redfish/v1/Chassis/1";
const asks = ({ url, fingerprint }: RedfishService, more: { fingerprint?: string; user?: string } = {}) =>
  asksRedfish({ url, user: "godwit", passwordFile, fingerprint, ...more });
const told = async (service: RedfishService) =>
  (await redfishSymptoms(asks(service))).map(
    ({ component, state, evidence }) => `${state} ${component}: ${evidence}`,
  );

test("a machine that is well tells nothing; a fan, a power supply and a drive that fail are told, each as it is", async () => {
  await using service = await RedfishService.start();
  expect(await told(service)).toEqual([]);
  service.resources.set(`${chassis}/Thermal`, {
    Temperatures: [{ Name: "Inlet", ReadingCelsius: 43, Status: { State: "Enabled", Health: "Warning" } }],
    Fans: [{ MemberId: "0", Name: "Fan1A", Reading: 0, Status: { State: "Enabled", Health: "Critical" } }],
  });
  service.resources.set(`${chassis}/Power`, {
    PowerSupplies: [{ MemberId: "1", Name: "PS2", Status: { State: "Enabled", Health: "Critical" } }],
  });
  service.resources.set("/redfish/v1/Systems/1/Storage/1/Drives/0", {
    ...{ Id: "0", Name: "Disk 0", Status: { State: "Enabled", Health: "Critical" } },
  });
  expect(await told(service)).toEqual([
    "severe fan Fan1A: its BMC calls it critical, at 0",
    "moderate temperature Inlet: its BMC calls it in need of attention, at 43 °C",
    "moderate power supply PS2: its BMC calls it critical",
    "moderate drive Disk 0: its BMC calls it critical",
  ]);
});

test("the later shape of the standard is read, too", async () => {
  await using service = await RedfishService.start();
  const fan = `${chassis}/ThermalSubsystem/Fans/0`;
  service.resources.set(chassis, { ThermalSubsystem: { "@odata.id": `${chassis}/ThermalSubsystem` } });
  service.resources.set(`${chassis}/ThermalSubsystem`, {
    Fans: { "@odata.id": `${chassis}/ThermalSubsystem/Fans` },
  });
  service.resources.set(`${chassis}/ThermalSubsystem/Fans`, { Members: [{ "@odata.id": fan }] });
  service.resources.set(fan, { Id: "0", Name: "Fan 0", Status: { State: "Enabled", Health: "Critical" } });
  expect(await told(service)).toEqual(["severe fan Fan 0: its BMC calls it critical"]);
});

test("another certificate is told the password by nobody; a wrong password is told as such", async () => {
  await using service = await RedfishService.start();
  const other = asks(service, { fingerprint: "ab".repeat(32) });
  await expect(redfishSymptoms(other)).rejects.toThrow(/not the one that is expected/);
  expect(service.asked).toEqual([]);
  await expect(redfishSymptoms(asks(service, { user: "root" }))).rejects.toThrow(
    "the BMC does not let user root in (status 401)",
  );
});

test.each<[string, string, unknown, RegExp | null]>([
  [
    "a link to another service",
    "/redfish/v1/",
    { Chassis: { "@odata.id": "https://192.0.2.1/x" } },
    /another service/,
  ],
  ["a redirect", "/redfish/v1/", 302, /not followed/],
  ["what is not JSON", "/redfish/v1/", "<html>", /not JSON/],
  ["what is no Redfish", "/redfish/v1/", [1, 2], /no Redfish service/],
  ["too much", "/redfish/v1/", `"${"x".repeat(3_000_000)}"`, /more than/],
  [
    "nonsense in a part",
    `${chassis}/Thermal`,
    { Fans: [7, null, { Status: { Health: "Critical", State: 5 } }] },
    null,
  ],
  [
    "a collection of itself",
    "/redfish/v1/Chassis",
    { Members: [{ "@odata.id": "/redfish/v1/Chassis" }] },
    null,
  ],
])("a service that says %s is refused or passed over", async (_, path, resource, reason) => {
  await using service = await RedfishService.start();
  service.resources.set(path, resource);
  const looked = told(service);
  if (reason === null) expect(await looked).toEqual([]);
  else await expect(looked).rejects.toThrow(reason);
});

test("a host without one says where it is configured, and a configuration without https or with another fingerprint is refused", () => {
  expect(() => new Redfish(null).look(0)).toThrow(SourceAbsent);
  const config = (redfish: object) =>
    agentConfigSchema.safeParse({
      ...{ name: "a", listen: { address: "127.0.0.1" }, server: { url: "https://127.0.0.1:1" } },
      bmc: { redfish: { url: "https://192.0.2.1", user: "godwit", passwordFile, ...redfish } },
    }).success;
  expect([config({}), config({ fingerprint: `${"AB:".repeat(31)}AB` })]).toEqual([true, true]);
  expect([config({ url: "http://192.0.2.1" }), config({ fingerprint: "ab" })]).toEqual([false, false]);
});
