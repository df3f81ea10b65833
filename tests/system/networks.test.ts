/** Switches and port groups of the inventory: a VM on one of them moves, and neither hands nor restarts interrupt it. */
import { tapName } from "@godwit/network";
import { TestLab } from "@godwit/test-kit";
import { run, until } from "@godwit/system";
import { buildGuest, clientAddress, placeGuest, spareCard } from "@godwit/lab";
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
  const often = { everyMs: 300, limitMs: 120_000 };
  const inside = async (host: string, ...words: string[]) =>
    await run("ip", ["netns", "exec", lab.lab.namespace(host), ...words], { what: `acting on ${host}` });
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
  const mac = vm.config.nics[0]?.mac ?? "";
  /** The port at which a host's bridge has seen the VM last. */
  const portOn = async (host: string) => {
    const { stdout } = await inside(host, "bridge", "fdb", "show", "br", "gs-lan");
    return new RegExp(`^${mac} dev (\\S+)`, "m").exec(stdout)?.[1];
  };
  expect(await until(async () => (await portOn("a")) === spareCard, often)).toBe(true);

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
  expect(await set({ isolatedHosts: true })).toMatchObject({ isolatedHosts: true });
  expect(await set({ mtu: null, allowForgedTransmits: false, isolatedHosts: false })).not.toHaveProperty(
    "isolatedHosts",
  );
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

  // What the VM announces at its new place does not get through: the host that it left tells so, until it does.
  const drop = `add rule bridge unheard forward oifname ${spareCard} ether saddr ${mac} ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 counter drop`;
  await run("ip", ["netns", "exec", lab.lab.namespace("a"), "nft", "-f", "-"], {
    what: "dropping what the VM announces",
    input: `add table bridge unheard\nadd chain bridge unheard forward { type filter hook forward priority 0; }\n${drop}\n`,
  });
  await lab.succeeded(api.call("vmMigrate", { params: { vm: vm.id }, body: { to: "a" } }));
  const alarm = async () =>
    (await api.call("hostShow", { params: { host: "b" } })).alarms.find(
      ({ code }) => code === "VM_MAC_NOT_LEARNED",
    );
  expect(await until(async () => (await alarm()) !== undefined, often)).toBe(true);
  expect((await alarm())?.details).toMatchObject({
    vm: "web-1",
    mac,
    network: "web",
    host: "a",
    witness: "b",
  });
  expect(await portOn("b")).toBe(undefined);
  await inside("a", "nft", "delete", "table", "bridge", "unheard");
  const announced = [{ mac, portGroup: "web" }];
  expect(await api.call("vmAnnounce", { params: { vm: "web-1" } })).toEqual({
    vm: "web-1",
    host: "a",
    announced,
  });
  expect(await until(async () => (await portOn("b")) === spareCard, often)).toBe(true);
  expect(await until(async () => (await alarm()) === undefined, often)).toBe(true);
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

/**
 * The client is behind host c, and each host's VMs' network ends at the host: what goes between them are packets of UDP on the
 * migration network, counted there.
 */
test("a VM on a switch with VXLAN moves between hosts that share no network of VMs, and its client is behind a third", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b", "c"] });
  const { api } = lab;
  const inside = async (part: string, ...words: string[]) =>
    (await run("ip", ["netns", "exec", lab.lab.namespace(part), ...words], { what: `acting on ${part}` }))
      .stdout;
  const shown = async () => await api.call("switchShow", { params: { switch: "far" } });
  const body = { name: "far", uplink: null, vxlan: { vni: 100 } };
  await expect(api.call("switchAdd", { body: { ...body, mtu: 1500 } })).rejects.toMatchObject({
    code: "SWITCH_MTU_ABOVE_UNDERLAY",
  });
  await api.call("switchAdd", { body: { ...body, hosts: ["a", "b"] } });
  await api.call("switchAdd", { body: { ...body, hosts: ["c"] } });
  await until(async () => (await shown()).hosts.every(({ state }) => state === "available"), {
    ...{ everyMs: 500, limitMs: 60_000 },
  });
  expect(await shown()).toMatchObject({
    mtu: 1450,
    hosts: [{ vxlan: { peers: ["10.87.2.12", "10.87.2.13"] } }, {}, { vxlan: { local: "10.87.2.13" } }],
  });
  await expect(
    api.call("networkAdd", { body: { name: "far-web", switch: "far", vlan: 20 } }),
  ).rejects.toMatchObject({ code: "NETWORK_VLAN_IN_VXLAN" });
  await api.call("networkAdd", { body: { name: "far-web", switch: "far" } });

  // The client's cable goes to host c's switch, and the network that the lab's VMs have otherwise is cut.
  await inside("client", "ip", "link", "del", "office");
  const end = ["peer", "name", "office", "netns", lab.lab.namespace("client")];
  await inside("c", "ip", "link", "add", "name", "router", "type", "veth", ...end);
  await inside("c", "ip", "link", "set", "dev", "router", "master", "gs-far", "up");
  await inside("client", "ip", "address", "add", `${clientAddress}/24`, "dev", "office");
  await inside("client", "ip", "link", "set", "dev", "office", "up");
  for (const host of ["a", "b", "c"])
    for (const card of ["office", spareCard]) await inside(host, "ip", "link", "set", "dev", card, "down");
  const counter = (name: string, from: string) =>
    `add rule bridge wire forward ip saddr ${from} ip daddr 10.87.2.13 udp dport 4789 @th,96,24 100 counter comment ${name}\n`;
  const rules = `add table bridge wire\nadd chain bridge wire forward { type filter hook forward priority 0; }\n${counter("a", "10.87.2.11")}${counter("b", "10.87.2.12")}`;
  const inNet = ["netns", "exec", lab.lab.namespace("net"), "nft"];
  await run("ip", [...inNet, "-f", "-"], { what: "counting on the wire", input: rules });
  const packets = async (from: string) => {
    const { stdout } = await run("ip", [...inNet, "list", "table", "bridge", "wire"], { what: "counting" });
    return Number(new RegExp(`packets (\\d+) .*comment "${from}"`).exec(stdout)?.[1]);
  };

  const description = await placeGuest(lab.lab.sharedFolder, await buildGuest(() => undefined), {
    ...{ name: "web-1", index: 0, memoryMib: 256 },
  });
  const mac = "52:54:00:aa:00:01";
  const nics = [{ portGroup: "far-web", mac }];
  await lab.succeeded(api.call("vmCreate", { body: { description: { ...description, nics }, host: "a" } }));
  await lab.succeeded(api.call("vmStart", { params: { vm: "web-1" }, body: {} }));
  const vm = await lab.vm("web-1");
  await using load = await lab.load();
  /** The address that host c sends to for the VM, as it learned it. */
  const behind = async () => {
    const entries = await inside("c", "bridge", "fdb", "show", "dev", "gx-100");
    return new RegExp(`^${mac} dst (\\S+)`, "m").exec(entries)?.[1];
  };
  const fromA = await packets("a");
  expect([await behind(), fromA > 0, await packets("b")]).toEqual(["10.87.2.11", true, expect.any(Number)]);

  // A hand on a host that the VM is not on: told, and put right. Until then the VM does not go there; the agent may be faster than a check.
  const cut = ["bridge", "fdb", "del", "00:00:00:00:00:00", "dev", "gx-100", "dst", "10.87.2.11"];
  const isRefused = async () => {
    await inside("b", ...cut).catch(() => undefined);
    const { findings } = await api.call("vmCheck", { params: { vm: vm.id }, body: { to: "b" } });
    return findings.some(({ code }) => code === "NETWORK_TUNNEL_MISSING");
  };
  const alarmed = async () =>
    (await api.call("hostShow", { params: { host: "b" } })).alarms.some(
      ({ code, message }) => code === "SWITCH_NOT_APPLIED" && message.includes("did not lead to 10.87.2.11"),
    );
  const often = { everyMs: 300, limitMs: 60_000 };
  expect(await until(isRefused, often)).toBe(true);
  expect(await until(alarmed, often)).toBe(true);
  expect(await until(async () => !(await alarmed()), often)).toBe(true);

  const fromB = await packets("b");
  await lab.succeeded(api.call("vmMigrate", { params: { vm: vm.id }, body: { to: "b" } }));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect(await until(async () => (await behind()) === "10.87.2.12", often)).toBe(true);
  expect(await until(async () => (await packets("b")) > fromB + 20, often)).toBe(true);
  await lab.succeeded(api.call("vmMigrate", { params: { vm: vm.id }, body: { to: "a" } }));
  expect(await until(async () => (await behind()) === "10.87.2.11", often)).toBe(true);
  expect(await load.finish([])).toMatchObject({ connections: 1, reconnects: 0, lost: 0, duplicated: 0 });

  // A host that does not have it any more is no peer.
  await api.call("switchRemove", { params: { switch: "far" }, query: { host: "c" } });
  await until(
    async () => !(await inside("a", "bridge", "fdb", "show", "dev", "gx-100")).includes("10.87.2.13"),
    often,
  );
  expect(await inside("c", "ip", "-o", "link", "show", "type", "vxlan")).toBe("");
});
