/** The power of a host by Redfish, asked over HTTPS of a service of the standard's shape. */
import { RedfishService } from "@godwit/test-kit/redfish";
import { expect, test } from "vitest";
import { asksBmc, redfish } from "../../src/power/redfish.ts";

const systemPath = "/redfish/v1/Systems/1";
const controlOf = (
  { url, fingerprint }: Pick<RedfishService, "url" | "fingerprint">,
  { password = "s3cret", system = null as string | null } = {},
) => redfish(asksBmc({ url, user: "godwit", password, fingerprint }), system);
const allow = (bmc: RedfishService, action: object) => {
  const target = `${systemPath}/Actions/ComputerSystem.Reset`;
  bmc.resources.set(systemPath, {
    ...bmc.system,
    Actions: { "#ComputerSystem.Reset": { target, ...action } },
  });
};

test("a host is shut down, is on until it is off, and is turned on; what is so already is not asked for again", async () => {
  await using bmc = await RedfishService.start();
  const control = controlOf(bmc);
  expect(await control.power()).toBe("on");
  await control.turnOn();
  await control.shutDown?.();
  expect(bmc.resets).toEqual(["GracefulShutdown"]);
  expect(await control.power()).toBe("on");
  bmc.powered("Off");
  expect(await control.power()).toBe("off");
  await control.shutDown?.();
  await control.cut?.();
  await control.turnOn();
  expect(await control.power()).toBe("on");
  await control.cut?.();
  expect(await control.power()).toBe("off");
  expect(bmc.resets).toEqual(["GracefulShutdown", "On", "ForceOff"]);
});

test("the type of reset is one that the BMC allows, in either place; where none is, nothing is asked", async () => {
  await using bmc = await RedfishService.start();
  const control = controlOf(bmc);
  allow(bmc, { "ResetType@Redfish.AllowableValues": ["ForceOff", "PushPowerButton"] });
  await control.shutDown?.();
  expect(bmc.resets).toEqual(["PushPowerButton"]);
  allow(bmc, { "@Redfish.ActionInfo": "/redfish/v1/Systems/1/ResetActionInfo" });
  bmc.resources.set("/redfish/v1/Systems/1/ResetActionInfo", {
    Parameters: [{ Name: "ResetType", AllowableValues: ["On", "ForceOff"] }],
  });
  await expect(control.shutDown?.()).rejects.toThrow(
    "it allows none of GracefulShutdown, PushPowerButton, only On, ForceOff",
  );
  bmc.resources.set(systemPath, { PowerState: "On" });
  await expect(control.cut?.()).rejects.toThrow("it offers no reset of the host");
  expect(bmc.resets).toEqual(["PushPowerButton"]);
});

test("of several systems one must be named; a wrong password, certificate or answer is an error, never a guess", async () => {
  await using bmc = await RedfishService.start();
  bmc.resources.set("/redfish/v1/Systems", {
    Members: [{ "@odata.id": systemPath }, { "@odata.id": "/redfish/v1/Systems/2\n\u001b[2J" }],
  });
  await expect(controlOf(bmc).power()).rejects.toThrow(
    "it has several systems, and it must be said which: /redfish/v1/Systems/1, /redfish/v1/Systems/2??[2J",
  );
  expect(await controlOf(bmc, { system: systemPath }).power()).toBe("on");
  await expect(controlOf(bmc, { password: "guess" }).power()).rejects.toThrow("does not let the user in");
  const other = { url: bmc.url, fingerprint: "00".repeat(32) };
  const asked = bmc.asked.length;
  await expect(controlOf(other).power()).rejects.toThrow("which is not the one that is expected");
  expect(bmc.asked).toHaveLength(asked); // no password was sent
  for (const PowerState of [undefined, "Unknown", "toString"]) {
    bmc.resources.set(systemPath, { PowerState });
    await expect(controlOf(bmc, { system: systemPath }).power()).rejects.toThrow(
      "it does not say whether the host is on",
    );
  }
  bmc.resources.set(systemPath, { PowerState: ["On"] });
  await expect(controlOf(bmc, { system: systemPath }).power()).rejects.toThrow("not what Redfish has there");
});
