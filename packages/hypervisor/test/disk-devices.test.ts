/** Where disks are in a VM: no two at one place, no more at a controller than it has room for, and none is moved by one that comes last. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { diskDevices } from "../src/disk-devices.ts";

const buses = fc.array(fc.constantFrom(undefined, "sata" as const, "scsi" as const), { maxLength: 24 });
const described = (list: readonly (undefined | "sata" | "scsi")[]) =>
  diskDevices(
    list.map((bus) => ({ bus })),
    (index) => `addr=${String(index)}`,
  );

test("every disk has a place of its own on a bus that is there before it", () => {
  fc.assert(
    fc.property(buses, (list) => {
      const devices = described(list);
      const places = devices.map(({ device }) => device.place);
      expect(new Set(places).size).toBe(list.length);
      const addresses = devices.flatMap(({ controller, device }) => [
        ...(controller === null ? [] : [/addr=\d+/.exec(controller)?.[0]]),
        ...(/addr=\d+/.exec(device.place) ?? []),
      ]);
      expect(new Set(addresses).size).toBe(addresses.length);
      const made = new Set<string>();
      for (const { controller, device } of devices) {
        const id = /id=([\w.]+)/.exec(controller ?? "")?.[1];
        if (id !== undefined) made.add(id);
        const bus = /^bus=((?:sata|scsi)\.\d+)\.(\d+)/.exec(device.place);
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
    "ich9-ahci,id=sata.0,addr=0",
    ...[null, null, null, null, null],
    "ich9-ahci,id=sata.1,addr=6",
  ]);
  expect(devices[6]?.device).toEqual({ driver: "ide-hd", place: "bus=sata.1.0" });
});
