/** Switches and port groups of the inventory: a VM on one of them moves, and neither hands nor restarts interrupt it. */
import { tapName } from "@godwit/network";
import { TestLab } from "@godwit/test-kit";
import { run, until } from "@godwit/system";
import { placeGuest, buildGuest, spareCard } from "@godwit/lab";
import { expect, test } from "vitest";

test("a VM on a port group of the inventory moves under load; one on an internal switch is refused", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const { api } = lab;
  const codeOf = async (doing: Promise<unknown>) =>
    await doing.then(
      () => "done",
      (error: unknown) => (error as { code: string }).code,
    );
  const states = async (name: string) =>
    (await api.call("switchShow", { params: { switch: name } })).hosts.map(
      ({ host, state }) => `${host} ${state}`,
    );
  const ip = async (host: string, ...args: string[]) =>
    (await run("ip", ["-n", lab.lab.namespace(host), ...args], { what: "looking at a host's interfaces" }))
      .stdout;
  const masterOf = async (host: string, link: string) =>
    (JSON.parse(await ip(host, "-json", "link", "show", "dev", link)) as { master?: string }[])[0]?.master;

  // The management card is refused, and the hosts stay where they were; so is a card of a bridge that is not Godwit's.
  for (const uplink of ["management", "office"]) {
    await api.call("switchAdd", { body: { name: "wrong", uplink } });
    expect(await states("wrong")).toEqual(["a notApplied", "b notApplied"]);
    await api.call("switchRemove", { params: { switch: "wrong" }, query: {} });
    expect(await ip("a", "-o", "link", "show", "type", "bridge")).not.toContain("gs-wrong");
  }
  expect([await masterOf("a", "management"), await masterOf("a", "office")]).toEqual([
    undefined,
    "br-office",
  ]);

  await api.call("switchAdd", { body: { name: "lan", uplink: spareCard } });
  expect(await states("lan")).toEqual(["a available", "b available"]);
  await api.call("networkAdd", { body: { name: "web", switch: "lan" } });
  await api.call("switchAdd", { body: { name: "cellar", uplink: null } });
  await api.call("networkAdd", { body: { name: "inner", switch: "cellar" } });
  // What stood in the agents' configuration goes on to be there.
  const { networks } = await api.call("networkList", {});
  expect(networks.map(({ name, createdAt }) => [name, createdAt !== null])).toEqual([
    ["inner", true],
    ["office", false],
    ["web", true],
  ]);

  const description = await placeGuest(lab.lab.sharedFolder, await buildGuest(() => undefined), {
    ...{ name: "web-1", index: 0, memoryMib: 256 },
  });
  const start = async (name: string, portGroup: string) => {
    const nics = [{ portGroup }];
    const disks = name === "web-1" ? description.disks : [];
    const body = { description: { ...description, name, nics, disks }, host: "a" };
    await lab.succeeded(api.call("vmCreate", { body }));
    await lab.succeeded(api.call("vmStart", { params: { vm: name }, body: {} }));
    return await lab.vm(name);
  };
  const vm = await start("web-1", "web");
  const tap = tapName(vm.id, 0);
  expect(await masterOf("a", tap)).toBe("gs-lan");
  const load = await lab.load();
  await lab.succeeded(api.call("vmMigrate", { params: { vm: vm.id }, body: { to: "b" } }));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect(await masterOf("b", tap)).toBe("gs-lan");

  // What it is connected to changes under it: its port's MTU, and whether it may send with other MAC addresses.
  const mtuOf = async (host: string, link: string) =>
    (JSON.parse(await ip(host, "-json", "link", "show", "dev", link)) as { mtu?: number }[])[0]?.mtu;
  const isLimited = async () => {
    const words = ["netns", "exec", lab.lab.namespace("b"), "nft", "list", "ruleset"];
    const { stdout } = await run("ip", words, { what: "looking at the filter of VMs' ports" });
    return stdout.includes(tap);
  };
  const set = (body: object) => api.call("networkSet", { params: { network: "web" }, body });
  expect(await codeOf(set({ mtu: 2000 }))).toBe("NETWORK_MTU_ABOVE_SWITCH");
  await api.call("switchSet", { params: { switch: "lan" }, body: { mtu: 2000 } });
  expect([await mtuOf("b", "gs-lan"), await mtuOf("b", spareCard), await mtuOf("b", tap)]).toEqual([
    2000, 2000, 2000,
  ]);
  expect(await isLimited()).toBe(true);
  await set({ mtu: 1600, allowForgedTransmits: true });
  expect([await mtuOf("b", tap), await isLimited()]).toEqual([1600, false]);
  await set({ mtu: null, allowForgedTransmits: false });
  expect([await mtuOf("b", tap), await isLimited()]).toEqual([2000, true]);
  expect(await states("lan")).toEqual(["a available", "b available"]);

  // What it uses stays. A hand on the bridge is put right; an agent that starts again changes nothing.
  const remove = async (name: string) =>
    await codeOf(api.call("networkRemove", { params: { network: name } }));
  expect(await remove("web")).toBe("NETWORK_IN_USE");
  expect(await remove("office")).toBe("NETWORK_OF_HOSTS");
  const ofHosts = api.call("networkSet", { params: { network: "office" }, body: { mtu: 1400 } });
  expect(await codeOf(ofHosts)).toBe("NETWORK_OF_HOSTS");
  expect(await codeOf(api.call("switchRemove", { params: { switch: "lan" }, query: { host: "b" } }))).toBe(
    "SWITCH_IN_USE",
  );
  await ip("b", "link", "set", "dev", tap, "nomaster");
  expect(
    await until(async () => (await masterOf("b", tap)) === "gs-lan", { everyMs: 500, limitMs: 60_000 }),
  ).toBe(true);
  const bridge = await ip("b", "-o", "link", "show", "dev", "gs-lan");
  await lab.lab.host("b").endAgent();
  await lab.lab.host("b").startAgent();
  await until(async () => (await states("lan")).includes("b available"), { everyMs: 500, limitMs: 60_000 });
  expect((await ip("b", "-o", "link", "show", "dev", "gs-lan")).split(":")[0]).toBe(bridge.split(":")[0]);
  await lab.succeeded(api.call("vmMigrate", { params: { vm: vm.id }, body: { to: "a" } }));
  expect(await load.finish([])).toMatchObject({ connections: 1, reconnects: 0, lost: 0, duplicated: 0 });

  const cellar = await start("inner-1", "inner");
  const check = await api.call("vmCheck", { params: { vm: cellar.id }, body: { to: "b" } });
  expect(check.allowed).toBe(false);
  expect(check.findings.filter(({ severity }) => severity === "error").map(({ code }) => code)).toContain(
    "NETWORK_INTERNAL",
  );
  for (const { id } of [vm, cellar]) {
    await lab.succeeded(api.call("vmStop", { params: { vm: id }, body: { graceSeconds: 0 } }));
    await lab.succeeded(api.call("vmDelete", { params: { vm: id }, query: {} }));
  }
  for (const name of ["web", "inner"]) expect(await remove(name)).toBe("done");
  for (const name of ["lan", "cellar"])
    await api.call("switchRemove", { params: { switch: name }, query: {} });
  expect(await ip("a", "-o", "link", "show", "type", "bridge")).not.toContain("gs-");
  expect(await ip("a", "-o", "link", "show", "dev", spareCard)).toContain("UP");
});
