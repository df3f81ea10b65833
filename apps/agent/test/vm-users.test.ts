/** Which user a VM's QEMU gets on a host. */
import type { VmId } from "@godwit/contract";
import { vmUser } from "@godwit/hypervisor";
import { userIds } from "@godwit/system";
import { expect, test } from "vitest";
import { agentConfigSchema } from "../src/config.ts";
import { VmUsers } from "../src/vms/vm-users.ts";

const id = "22222222-2222-4222-8222-222222222222" as VmId;
const configOf = (qemu: object) =>
  agentConfigSchema.parse({
    ...{ name: "a", listen: { address: "127.0.0.1" }, server: { url: "https://127.0.0.1:1" } },
    qemu: { user: "nobody", ...qemu },
  }).qemu;
const users = new VmUsers(configOf({}));
const own = vmUser(id, configOf({}).vmUids);

test("what comes with the VM's own uid keeps it, and anything else becomes the user that VMs share, never what was said", async () => {
  expect(await users.incoming(id, "b", own.uid)).toEqual({ ...own, sharedBecause: null });
  const nobody = await userIds("nobody");
  for (const said of [0, 1, own.uid + 1, nobody.uid]) {
    expect(await users.incoming(id, "b", said)).toMatchObject({
      ...nobody,
      sharedBecause: `it was started as uid ${String(said)} before it came from host b`,
    });
  }
  expect(await users.incoming(id, "b", undefined)).toMatchObject(nobody);
});

test("an interface's owner is named as `ip` shows it: by name where there is one", async () => {
  expect(users.ownerOf(users.own(id))).toBe(String(own.uid));
  expect(users.ownerOf(await users.shared("of a reason"))).toBe("nobody");
});

test("a range of uids that holds ids of the system, or ends beyond the last, is refused", () => {
  const refused = (vmUids: object) => () => configOf({ vmUids });
  expect(refused({ first: 0 })).toThrow();
  expect(refused({ first: 4_294_967_290, count: 5 })).toThrow(/beyond the greatest uid/);
  expect(configOf({ vmUids: { first: 4_294_967_290, count: 4 } }).vmUids.count).toBe(4);
});
