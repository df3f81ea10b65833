/** Places of disks and NICs: as others come and go, none is moved, and no two are at one place. */
import type { Vm } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  freeNicNumber,
  isPluggable,
  placeForDisk,
  placeForNic,
  placesOf,
  poweredOn,
  withPlaces,
} from "../src/device-places.ts";

type Placed = Pick<Vm, "machine" | "disks" | "nics" | "pciePorts">;

const bare = (machine: string): Placed => ({ machine, disks: [], nics: [] });
const disk = (name: string, bus?: "sata" | "scsi") => ({
  ...{ name, path: `v/${name}.qcow2`, format: "qcow2" as const },
  ...(bus === undefined ? {} : { bus }),
});
const nic = (portGroup: string, model?: "e1000" | "e1000e") => ({
  ...{ portGroup, mac: "52:54:00:00:00:01" },
  ...(model === undefined ? {} : { model }),
});

/** What is done to a VM, by numbers, so that a counterexample is short. */
const step = fc.oneof(
  fc.record({
    what: fc.constant("disk" as const),
    bus: fc.constantFrom(undefined, "sata" as const, "scsi" as const),
    running: fc.boolean(),
    ports: fc.boolean(),
  }),
  fc.record({
    what: fc.constant("nic" as const),
    model: fc.constantFrom(undefined, "e1000" as const, "e1000e" as const),
    running: fc.boolean(),
    ports: fc.boolean(),
  }),
  fc.record({ what: fc.constantFrom("noDisk" as const, "noNic" as const), at: fc.nat(30) }),
  fc.record({ what: fc.constant("powerOn" as const), allowed: fc.boolean() }),
);

/** By what the devices are called, so that what stays can be compared. */
const named = (vm: Placed) => {
  const { disks, nics } = placesOf(vm);
  return new Map([
    ...vm.disks.map(({ name }, at) => [`disk ${name}`, disks[at]] as const),
    ...vm.nics.map(({ portGroup }, at) => [`nic ${portGroup}`, nics[at]] as const),
  ]);
};

/** Of what is on the root bus or a port: controllers are shared, slots and ports are not. */
const spots = (vm: Placed) => {
  const { disks, nics } = placesOf(vm);
  const own = vm.disks.map(({ bus }, at) => ({ ...disks[at], bus, unit: disks[at]?.unit }));
  const controllers = new Set(
    own.map(({ bus, unit = 0, slot, port, ...rest }) =>
      bus === undefined
        ? JSON.stringify([rest, slot, port])
        : JSON.stringify([bus, bus === "sata" ? Math.floor(unit / 6) : 0, slot, port]),
    ),
  );
  const places = [
    ...[...controllers].map((one) => JSON.stringify((JSON.parse(one) as unknown[]).slice(-2))),
    ...nics.map(({ slot, port, function: of }) =>
      JSON.stringify(of === undefined ? [slot ?? null, port ?? null] : [slot, of, "shared"]),
    ),
  ];
  return {
    places,
    units: own.flatMap(({ bus, unit }) => (bus === undefined ? [] : [`${bus} ${String(unit)}`])),
  };
};

test("as devices come and go, none of the others is moved and no two are at one place", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("pc-q35-7.2", "pc-i440fx-7.2"),
      fc.array(step, { maxLength: 40 }),
      (machine, steps) => {
        let vm = bare(machine);
        let count = 0;
        for (const one of steps) {
          const before = named(vm);
          const { disks, nics } = placesOf(vm);
          if (one.what === "powerOn") {
            vm = poweredOn(vm, one.allowed);
          } else if (one.what === "disk" && vm.disks.length < 24) {
            const place = placeForDisk(vm, one.bus, one);
            if (place === null) continue;
            const added = disk(`d${String(count++)}`, one.bus);
            vm = withPlaces({ ...vm, disks: [...vm.disks, added] }, { disks: [...disks, place], nics });
            expect(named(vm).get(`disk ${added.name}`)).toEqual(place);
            if (one.running && one.bus === undefined) expect(isPluggable(vm, place)).toBe(true);
          } else if (one.what === "nic" && vm.nics.length < 8) {
            const place = placeForNic(vm, one.model, one);
            if (place === null) continue;
            const added = { ...nic(`n${String(count++)}`, one.model), number: freeNicNumber(vm) };
            vm = withPlaces({ ...vm, nics: [...vm.nics, added] }, { disks, nics: [...nics, place] });
            expect(named(vm).get(`nic ${added.portGroup}`)).toEqual(place);
            if (one.running) expect(isPluggable(vm, place)).toBe(true);
          } else if (one.what === "noDisk" && vm.disks.length > 0) {
            const at = one.at % vm.disks.length;
            vm = withPlaces(
              { ...vm, disks: vm.disks.toSpliced(at, 1) },
              { disks: disks.toSpliced(at, 1), nics },
            );
          } else if (one.what === "noNic" && vm.nics.length > 0) {
            const at = one.at % vm.nics.length;
            vm = withPlaces(
              { ...vm, nics: vm.nics.toSpliced(at, 1) },
              { disks, nics: nics.toSpliced(at, 1) },
            );
          }
          for (const [device, place] of named(vm))
            if (before.has(device)) expect(place).toEqual(before.get(device));
          const { places, units } = spots(vm);
          expect(new Set(places).size).toBe(places.length);
          expect(new Set(units).size).toBe(units.length);
          expect(new Set(vm.nics.map(({ number }) => number)).size).toBe(vm.nics.length);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("a VM whose devices are where they would be anyway says nothing of their places", () => {
  const vm = { ...bare("pc-q35-7.2"), disks: [disk("a"), disk("b")], nics: [nic("lan")] };
  expect(withPlaces(vm, placesOf(vm))).toEqual(vm);
});

test("a VM that is powered on has four free ports beyond those that it uses, as far as there are any", () => {
  const q35 = bare("pc-q35-7.2");
  expect(poweredOn(q35, false)).toEqual(q35);
  expect(poweredOn(q35, true).pciePorts).toBe(4);
  expect(poweredOn(bare("pc-i440fx-7.2"), true).pciePorts).toBeUndefined();
  const at = (port: number) => ({ ...q35, disks: [{ ...disk("a"), place: { port } }] });
  expect(poweredOn(at(1), false).pciePorts).toBe(6);
  expect(poweredOn(at(6), true).pciePorts).toBe(8);
});

test("nothing is plugged where the machine takes nothing while it runs", () => {
  const running = { ports: true, running: true };
  const q35 = bare("pc-q35-7.2");
  expect(placeForDisk(q35, undefined, running)).toBeNull();
  expect(placeForDisk({ ...q35, pciePorts: 8 }, undefined, running)).toEqual({ port: 0 });
  expect(placeForDisk({ ...q35, pciePorts: 8 }, "sata", running)).toBeNull();
  expect(placeForDisk({ ...q35, pciePorts: 8 }, "scsi", running)).toBeNull();
  const scsi = { ...q35, disks: [disk("a", "scsi")] };
  expect(placeForDisk(scsi, "scsi", running)).toEqual({ slot: 3, unit: 1 });
  expect(placeForNic({ ...q35, pciePorts: 8 }, "e1000", running)).toBeNull();
  expect(placeForNic(bare("pc-i440fx-7.2"), "e1000", running)).toEqual({ slot: 3 });
});
