/** The alarm of a broken `vm.json`: one a VM, kept while nobody can look, ended by the repair. */
import type { VmFileLook, VmId } from "@godwit/contract";
import { expect, test } from "vitest";
import { VmFileWatch, type AskedVm } from "../src/hosts/vm-file-watch.ts";

const vm = (digit: string): AskedVm => ({
  ...{ id: `22222222-2222-4222-8222-${digit.repeat(12)}` as VmId, name: `vm-${digit}`, datastore: "shared" },
});

/** A watch over a host that answers as the test says. */
function watched() {
  const host = {
    vms: [vm("1"), vm("2"), vm("3")],
    stateOf: (_: AskedVm): VmFileLook["state"] => "valid",
    isAway: false,
    asked: 0,
  };
  const watch = new VmFileWatch("a", {
    vms: () => Promise.resolve(host.vms),
    ask: (vms) => {
      host.asked += 1;
      if (host.isAway) return Promise.reject(new Error("it does not answer"));
      const looks = [...vms, vm("9")].map((one) => ({
        id: one.id,
        state: host.stateOf(one),
        path: `/srv/${one.name}`,
      }));
      return Promise.resolve(looks);
    },
  });
  const broken = () => watch.alarms.map(({ details }) => details.vm);
  return { host, watch, broken };
}

test("files that are right are looked at now and then, not with each report", async () => {
  const { host, watch, broken } = watched();
  await watch.lookWhenDue();
  await watch.lookWhenDue();
  expect([host.asked, broken()]).toEqual([1, []]);
});

test("an alarm stands from when a file is found broken until it is found valid, or the VM is gone", async () => {
  const { host, watch, broken } = watched();
  host.stateOf = ({ name }) => (name === "vm-3" ? "valid" : "broken");
  await watch.lookWhenDue();
  expect(broken()).toEqual(["vm-1", "vm-2"]); // one for each VM, and none for a VM that nobody asked about
  expect(watch.alarms[0]).toMatchObject({ code: "VM_FILE_BROKEN", severity: "error" });
  host.stateOf = () => "unread";
  await watch.lookWhenDue();
  host.isAway = true;
  await expect(watch.lookWhenDue()).rejects.toThrow();
  expect(broken()).toEqual(["vm-1", "vm-2"]);
  host.isAway = false;
  host.vms = [vm("2"), vm("3")];
  await watch.lookWhenDue();
  expect(broken()).toEqual(["vm-2"]);
  host.stateOf = () => "valid";
  await watch.lookWhenDue();
  expect(broken()).toEqual([]);
});
