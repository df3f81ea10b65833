/** The names of vSphere's faults, as errors carry them: each is one that vSphere really has. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { catalogue, finding, GodwitError } from "../src/index.ts";

/** The names alone, of the API's types in govmomi (Apache-2.0). */
const faultNames = new URL("data/vsphere-faults.json", import.meta.url);

test("an error and a finding carry the vSphere fault that says the same, and others carry none", () => {
  const where = { host: "b", pool: "blue", mode: "intel-merom@1", change: "mode" as const };
  expect(finding("EVC_HOST_DISCONNECTED", where).vsphereFault).toBe("HostNotConnected");
  expect(finding("EVC_HOST_DISCONNECTED", { ...where, change: "host" }).vsphereFault).toBe(
    "EVCAdmissionFailedHostDisconnected",
  );
  expect(GodwitError.of("EVC_HOST_DISCONNECTED", where).problem.vsphereFault).toBe("HostNotConnected");
  expect(GodwitError.of("VM_UNKNOWN", { vm: "web" }).problem).not.toHaveProperty("vsphereFault");
});

test("every fault that the catalogue names is one of vSphere's", () => {
  const { faults } = JSON.parse(readFileSync(faultNames, "utf8")) as { faults: readonly string[] };
  const details = [{ change: "host" }, { change: "mode" }].map((one) => ({
    ...{ ...one, features: [], lacking: [], vms: [], place: "" },
  }));
  const named = Object.entries(catalogue).flatMap(([code, { vsphereFault }]) =>
    vsphereFault === null
      ? []
      : details.map((one) => [code, (vsphereFault as (details: object) => string)(one)] as const),
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter(([, fault]) => !faults.includes(fault))).toEqual([]);
});
