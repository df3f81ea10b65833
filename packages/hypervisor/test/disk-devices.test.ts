/** What disks are on: a controller is there before its disks, and has room for them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { placesOf } from "../src/device-places.ts";
import { diskDevices } from "../src/disk-devices.ts";

const buses = fc.array(fc.constantFrom(undefined, "sata" as const, "scsi" as const), { maxLength: 24 });

function described(list: readonly (undefined | "sata" | "scsi")[]) {
  const disks = list.map((bus, index) => ({
    ...{ name: `d${String(index)}`, path: "", format: "raw" as const },
    ...(bus === undefined ? {} : { bus }),
  }));
  return diskDevices(disks, placesOf({ disks, nics: [] }).disks, ({ slot = 0 }) => ({ addr: slot }));
}

test("every disk has a place of its own on a bus that is there before it", () => {
  fc.assert(
    fc.property(buses, (list) => {
      const devices = described(list);
      const places = devices.map(({ device: { id: _, ...place } }) => JSON.stringify(place));
      expect(new Set(places).size).toBe(list.length);
      const addresses = devices.flatMap(({ controller, device }) => [
        ...(controller === null ? [] : [controller.addr]),
        ...(device.addr === undefined ? [] : [device.addr]),
      ]);
      expect(new Set(addresses).size).toBe(addresses.length);
      const made = new Set<string>();
      for (const { controller, device } of devices) {
        if (controller !== null) made.add(controller.id);
        const bus = /^((?:sata|scsi)\.\d+)\.(\d+)/.exec(String(device.bus ?? ""));
        if (bus === null) continue;
        expect(made).toContain(bus[1]);
        expect(Number(bus[2])).toBeLessThan(6);
      }
    }),
  );
});

test("a disk that comes last changes no other's place", () => {
  fc.assert(
    fc.property(buses, fc.constantFrom(undefined, "sata" as const, "scsi" as const), (list, last) => {
      expect(described([...list, last]).slice(0, list.length)).toEqual(described(list));
    }),
  );
});

test("the seventh SATA disk is on a controller of its own", () => {
  const devices = described(Array.from({ length: 7 }, () => "sata" as const));
  expect(devices.map(({ controller }) => controller)).toEqual([
    { driver: "ich9-ahci", id: "sata.0", addr: 3 },
    ...[null, null, null, null, null],
    { driver: "ich9-ahci", id: "sata.1", addr: 9 },
  ]);
  expect(devices[6]?.device).toEqual({ driver: "ide-hd", id: "d6", bus: "sata.1.0" });
});
