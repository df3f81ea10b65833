/** A host is removed while something needs it: refused with the way out, or done so that every VM can still be used. */
import { isStateUnknown } from "@godwit/contract";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

test("a host that is removed strands no VM, whether it is off or runs on", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "c"] });
  const web = await lab.boot({ name: "web-1", on: "c" });
  await lab.create({ name: "rest-1", on: "c" });
  const remove = async (force: boolean): Promise<void> => {
    await lab.api.call("hostRemove", { params: { host: "c" }, query: { force: String(force) } });
  };
  const start = async (vm: string, host?: string) =>
    await lab.ended(lab.api.call("vmStart", { params: { vm }, body: { host } }));
  const stop = async (vm: string) =>
    await lab.succeeded(lab.api.call("vmStop", { params: { vm }, body: { graceSeconds: 0 } }));

  await expect(remove(false)).rejects.toMatchObject({
    code: "HOST_BUSY",
    problem: { details: { running: ["web-1"], stopped: ["rest-1"], tasks: [] } },
  });
  await expect(remove(true)).rejects.toMatchObject({ code: "HOST_ALIVE" });

  // Its agent is gone, and it is taken for one that is off; its VM runs on.
  await lab.lab.host("c").endAgent();
  await expect
    .poll(async () => (await lab.api.call("hostShow", { params: { host: "c" } })).state)
    .toBe("unreachable");
  // What is said of it is what is known of it.
  const web1 = { params: { vm: "web-1" } };
  expect(await lab.vm("web-1")).toMatchObject({ state: "running", hostState: "unreachable" });
  const { vms } = await lab.api.call("vmSummaryList", { query: {} });
  expect(Object.fromEntries(vms.map((vm) => [vm.name, isStateUnknown(vm)]))).toEqual({
    "web-1": true,
    "rest-1": false,
  });
  await expect(lab.api.call("vmDelete", web1)).rejects.toMatchObject({ code: "VM_MAY_RUN" });
  await expect(lab.api.call("vmUnregister", web1)).rejects.toMatchObject({ code: "VM_MAY_RUN" });
  await expect(remove(false)).rejects.toMatchObject({
    code: "HOST_BUSY",
    message:
      "Host c is not removed: it does not answer; it ran VM web-1 last; it is the host of VM rest-1, stopped.",
    remedy: expect.stringContaining("godwit host remove c --force") as string,
  });
  await expect(
    lab.api.call("vmLeaseBreak", { params: { vm: "web-1" }, body: { host: "c" } }),
  ).rejects.toMatchObject({
    code: "LEASE_HOLDER_ALIVE",
    problem: { details: { removed: false, silent: true } },
    remedy: expect.stringContaining("systemctl start godwit-agent on c") as string,
  });
  await remove(true);
  expect(await lab.vm("web-1")).toMatchObject({ state: "lost", host: "c" });
  expect(await start("web-1")).toMatchObject({ state: "failed", error: { code: "LEASE_HELD" } });
  await expect(
    lab.api.call("vmLeaseBreak", { params: { vm: "web-1" }, body: { host: "c" } }),
  ).rejects.toMatchObject({ code: "LEASE_HOLDER_ALIVE", problem: { details: { removed: true } } });
  expect(await lab.runnersOf(web)).toEqual(["c"]);

  // The stopped one starts and is deleted without the host that it was on.
  expect(await start("rest-1")).toMatchObject({ state: "succeeded", result: { host: "a" } });
  await stop("rest-1");
  await lab.succeeded(lab.api.call("vmDelete", { params: { vm: "rest-1" } }));

  // It joins again: what it runs is known again, and stops.
  const { token } = await lab.api.call("hostTokenCreate", { body: {} });
  await lab.lab.host("c").join(token, null);
  await lab.lab.host("c").startAgent();
  await expect.poll(async () => (await lab.vm("web-1")).state, { timeout: 60_000 }).toBe("running");
  await stop("web-1");

  // Out of the inventory with its files, and back.
  await lab.api.call("vmUnregister", { params: { vm: "web-1" } });
  await expect(lab.vm("web-1")).rejects.toMatchObject({ code: "VM_UNKNOWN" });
  const processes = async () =>
    (await lab.api.call("hostShow", { params: { host: "c" } })).load?.vms.filter(({ pid }) => pid !== null);
  await expect.poll(processes).toEqual([]);
  await lab.api.call("vmRegister", { body: { datastore: "shared", name: "web-1", host: "a" } });
  await remove(false);
  expect(await start("web-1")).toMatchObject({ state: "succeeded", result: { host: "a" } });
});
