/** The machine type of a new VM: every host that it could move to knows it. */
import type { DatastoreId, HostFacts } from "@godwit/contract";
import { expect, test } from "vitest";
import { commonMachine } from "../src/index.ts";

const ids = { here: "11111111-1111-4111-8111-111111111111", there: "22222222-2222-4222-8222-222222222222" };
const host = (name: string, machines: string[], shared = true, id = ids.here) => ({
  name,
  facts: {
    qemu: { machines },
    datastores: [{ name: "vms", shared, id: id as DatastoreId, path: "/srv/vms" }],
  } as unknown as Pick<HostFacts, "datastores" | "qemu">,
});
const old = ["pc-q35-7.1", "pc-q35-7.2", "pc-i440fx-7.2"];
const newer = [...old, "pc-q35-9.2", "pc-q35-10.0"];
const vm = { datastore: "vms", disks: [] };

test("the newest that all hosts know which share its storage; one that is asked for stays", () => {
  const hosts = [host("a", old), host("b", newer), { name: "c", facts: null }];
  expect(commonMachine(hosts, "b", vm)).toBe("pc-q35-7.2");
  expect(commonMachine([host("b", newer), host("d", newer)], "b", vm)).toBe("pc-q35-10.0");
  expect(commonMachine(hosts, "b", { ...vm, machine: "pc-q35-9.2" })).toBe("pc-q35-9.2");
});

test("a host that it could not move to is of no account, and where nothing is known the maker chooses", () => {
  expect(commonMachine([host("a", old, false), host("b", newer)], "b", vm)).toBe("pc-q35-10.0");
  expect(commonMachine([host("a", old, true, ids.there), host("b", newer)], "b", vm)).toBe("pc-q35-10.0");
  expect(commonMachine([host("a", old), host("b", newer, false)], "b", vm)).toBe("pc-q35-10.0");
  expect(commonMachine([{ name: "c", facts: null }], "c", vm)).toBeUndefined();
  expect(commonMachine([host("a", ["pc-q35-7.2"]), host("b", ["pc-q35-10.0"])], "b", vm)).toBeUndefined();
});
