/** What a VM boots from names its own devices, each once, and follows devices that go. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { bootDevices, bootOrderProblems, keptBootOrder, vmDescriptionSchema } from "../src/index.ts";

const disks = ["root", "data"].map((name) => ({ name, sizeMib: 1 }));
const plain = { name: "web-1", datastore: "shared", memoryMib: 64, disks, nics: [{ portGroup: "office" }] };
const problemsOf = (more: object): string[] => {
  const { error } = vmDescriptionSchema.safeParse({ ...plain, ...more });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
};

test("a description's boot order is of its own devices; anything else is refused in words", () => {
  expect(problemsOf({ bootOrder: ["nic:0", "disk:data"] })).toEqual([]);
  expect(problemsOf({ bootOrder: ["cdrom:cd0"] })).toEqual([
    "bootOrder: the VM has no cdrom:cd0; it has disk:root, disk:data, nic:0",
  ]);
  expect(problemsOf({ bootOrder: ["nic:0", "nic:0"] })).toEqual(["bootOrder: nic:0 is named twice"]);
  expect(problemsOf({ bootOrder: ["nic:0"], boot: { kernel: "guest/kernel" } })).toEqual([
    "bootOrder: a VM that is started with a kernel boots from no device",
  ]);
  for (const device of [
    "root",
    "disk:",
    "disk:a,bootindex=0",
    "nic:32",
    "nic:00",
    "floppy:a",
    "disk:\u001b[2J",
  ])
    expect(problemsOf({ bootOrder: [device] })).toContainEqual(
      expect.stringContaining("must be disk:NAME, cdrom:NAME or nic:NUMBER"),
    );
  expect(problemsOf({ bootOrder: [] })).toHaveLength(1);
});

test("whichever devices go, those that stay keep their order, and none that is gone is left", () => {
  const names = ["a", "b", "c", "d"];
  const numbers = [0, 1, 2, 3];
  fc.assert(
    fc.property(
      fc.subarray(names),
      fc.subarray(names),
      fc.subarray(numbers),
      fc.shuffledSubarray(bootDevices({ disks: names.map((name) => ({ name })), nics: [{}, {}, {}, {}] })),
      (ofDisks, ofDrives, ofNics, bootOrder) => {
        const vm = {
          disks: ofDisks.map((name) => ({ name })),
          cdroms: ofDrives.map((name) => ({ name })),
          nics: ofNics.map((number) => ({ number })),
        };
        const ordered: typeof vm & { bootOrder?: string[] } = { ...vm, bootOrder };
        const { bootOrder: kept = [] } = keptBootOrder(ordered);
        expect(bootOrderProblems({ ...vm, bootOrder: kept })).toEqual([]);
        expect(kept).toEqual(bootOrder.filter((device) => bootDevices(vm).includes(device)));
        expect(keptBootOrder(vm)).toEqual(vm);
      },
    ),
  );
});
