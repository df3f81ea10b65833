/**
 * Requirements that are really not met, many in one lab: another QEMU, a host without a filter, a network, a migration address,
 * leases, its range of uids or the same storage, a clock that is ahead, an agent in a container, and links as an administrator's commands make them.
 * Each is found by its code, all of it in one pass, and the move is refused.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GodwitError, type VmDescriptionInput } from "@godwit/contract";
import { findQemus } from "@godwit/lab";
import { run } from "@godwit/system";
import { TestLab, withoutBusyMachine } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../test-kit/src/describe-with.ts";

let lab: TestLab;
let programs: string;
const older = "pc-i440fx-2.3";
const binaries = await findQemus();
const binaryOf = (version: string) => binaries.find((one) => one.version.startsWith(version))?.binary ?? "";
const absent = ["7.2", "10.0"].filter((version) => binaryOf(`${version}.`) === "");

/** A VM that is not started. */
async function create(name: string, host: string, more: Partial<VmDescriptionInput>): Promise<void> {
  const disks = [{ name: "data", sizeMib: 1 }];
  const description = { name, datastore: "shared", memoryMib: 64, disks, ...more };
  await lab.succeeded(lab.api.call("vmCreate", { body: { description, host } }));
}

/**
 * What `vm check` finds, as codes with the hosts that they name; warnings are marked. Without what is said of the machine that the lab
 * is on, when it is busy.
 */
async function check(vm: string, to: string, datastore?: string): Promise<string[]> {
  const findings = await lab.findings(vm, to, datastore);
  return findings
    .map(({ code, severity, host }) =>
      [code, ...(host === undefined ? [] : [host]), ...(severity === "warning" ? ["(warning)"] : [])].join(
        " ",
      ),
    )
    .sort();
}

/** In a host, or in `net`, where the switches are. */
async function on(part: string, ...commands: string[]): Promise<void> {
  for (const command of commands) {
    const argv = ["netns", "exec", lab.lab.namespace(part), ...command.split(" ")];
    await run("ip", argv, { what: `running ${command} on ${part}` });
  }
}

async function restart(host: string, environment: Record<string, string> = {}): Promise<void> {
  await lab.lab.host(host).endAgent();
  await lab.lab.host(host).startAgent(environment);
}

const missing = absent.length === 0 ? null : `not installed: QEMU ${absent.join(", QEMU ")}`;

describeWith("hosts with QEMU 7.2 and 10.0", missing, () => {
  beforeAll(async () => {
    programs = await mkdtemp(join(tmpdir(), "godwit-programs-"));
    lab = await TestLab.start({ hosts: ["a", "b"], qemu: { a: "7.2", b: "10.0" }, localDatastore: true });
    await lab.boot({ on: "a" });
    await create("old", "a", { machine: older });
    await create("new", "b", { machine: "pc-q35-10.0", cpu: { model: "SapphireRapids-v1" } });
    await create("local", "a", { datastore: "local" });
    await create("fixed", "a", { nics: [{ portGroup: "office", addresses: ["10.87.3.99"] }] });
    await lab.succeeded(
      lab.api.call("vmSnapshotCreate", { params: { vm: "web-1" }, body: { name: "before" } }),
    );
  });
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
    await rm(programs, { recursive: true, force: true });
  });

  test("a stopped VM is not sent where its machine, its CPU model or its disks are not", async () => {
    expect(await check("old", "b")).toEqual(["DESTINATION_MACHINE_UNKNOWN b"]);
    const words = ["-M", older, "-S", "-display", "none", "-nodefaults"];
    const alone = run(binaryOf("10."), words, { what: "starting QEMU alone", timeoutMs: 60_000 });
    await expect(alone).rejects.toThrow(/unsupported machine type/);
    expect(await check("new", "a")).toEqual(["DESTINATION_CPU_UNKNOWN a", "DESTINATION_QEMU_OLDER a"]);
    expect(await check("local", "b")).toEqual(["DATASTORE_HOST_LOCAL a", "DATASTORE_NOT_SHARED_THERE b"]);
    expect(await check("fixed", "b")).toEqual([]);
    await expect(
      lab.api.call("vmMigrate", { params: { vm: "local" }, body: { to: "b" } }),
    ).rejects.toMatchObject({ code: "MOVE_REFUSED" });
    expect(await check("local", "b", "local")).toEqual(["VM_NOT_RUNNING"]);
    expect(await check("web-1", "b", "local")).toEqual([
      "MOVE_DATASTORE_SHARED a",
      "MOVE_DISKS_HAVE_SNAPSHOTS",
    ]);
  });

  test("links at the destination are what an administrator has made of them", async () => {
    expect(await check("web-1", "b")).toEqual([]);
    await on("b", "ip link set office down");
    expect(await check("web-1", "b")).toEqual(["NETWORK_UPLINK_OFF b"]);
    await on("b", "ip link set office name elsewhere");
    expect(await check("web-1", "b")).toEqual(["NETWORK_UPLINK_MISSING b"]);
    await on("b", "ip link set elsewhere name office", "ip link set office up");

    await on("net", "ip link set b-off mtu 2000");
    await on("b", "ip link set office mtu 2000", "ip link set br-office mtu 2000");
    expect(await check("web-1", "b")).toEqual(["NETWORK_MTU_LARGER b (warning)"]);
    await on("b", "ip link set br-office mtu 1500", "ip link set office mtu 1500");

    const address = "10.87.2.12";
    await on("a", `ip address add ${address}/32 dev lo`);
    expect(await check("web-1", "b")).toEqual(["MIGRATION_ADDRESS_TWICE b"]);
    await on("a", `ip address del ${address}/32 dev lo`);

    await on("b", `ip address del ${address}/24 dev migration`, "ip link add mig-br type bridge");
    await on("b", "ip link set mig-br up", `ip address add ${address}/24 dev mig-br`);
    await expect.poll(() => check("web-1", "b"), { timeout: 60_000 }).toEqual(["MIGRATION_BRIDGE_NO_PORT b"]);
    await on("b", "ip link del mig-br", `ip address add ${address}/24 dev migration`);
    await expect.poll(() => check("web-1", "b"), { timeout: 60_000 }).toEqual([]);

    const shaper = "dev migration root tbf rate 100mbit burst 128kb latency 50ms";
    await on("b", `tc qdisc add ${shaper}`);
    expect(await check("web-1", "b")).toEqual(["MIGRATION_NETWORK_SLOW b"]);
    await on("b", `tc qdisc del ${shaper}`);
    expect(await check("web-1", "b")).toEqual([]);
  });

  test("storage of the same name that is another's, a medium that is not there, a CPU that would grow, a clock that is ahead, a container", async () => {
    const add = async (name: string, hosts?: string[]) => {
      const source = { kind: "directory" as const, path: `/var/lib/godwit/datastores/${name}` };
      for (const host of hosts ?? ["a", "b"])
        await mkdir(join(lab.lab.host(host).stateFolder, "datastores", name), { recursive: true });
      await lab.api.call("datastoreAdd", {
        body: { name, shared: true, source, ...(hosts === undefined ? {} : { hosts }) },
      });
      for (const host of hosts ?? ["a", "b"])
        await lab.api.call("datastoreInit", { params: { datastore: name }, body: { host, onRoot: true } });
    };
    await add("twin");
    await add("isos", ["a"]);
    await writeFile(join(lab.lab.host("a").stateFolder, "datastores/isos/tools.iso"), Buffer.alloc(65_536), {
      mode: 0o644,
    });
    await create("twin", "a", { datastore: "twin" });
    await expect.poll(() => check("twin", "b"), { timeout: 60_000 }).toEqual(["DATASTORE_NOT_THE_SAME b"]);

    const cdroms = [{ name: "cd0", datastore: "isos", iso: "tools.iso" }];
    await create("grows", "a", { cpu: { model: "max" }, cdroms });
    await lab.succeeded(lab.api.call("vmStart", { params: { vm: "grows" }, body: {} }));
    // The newer QEMU has something less, too.
    const found = await check("grows", "b");
    expect(found).toContain("CDROM_UNREACHABLE b");
    expect(found).toContain("DESTINATION_CPU_SHOWS_MORE b");
    await lab.succeeded(lab.api.call("vmStop", { params: { vm: "grows" }, body: { graceSeconds: 0 } }));
    expect(await check("grows", "b")).toContain("CDROM_UNREACHABLE b (warning)");

    const ahead = join(lab.lab.folder, "ahead.cjs");
    // All that the agent reads of the time, as if somebody had set its host's clock.
    const program = `const real = Date, ms = 95_000;
globalThis.Date = new Proxy(real, {
  construct: (of, words, as) => words.length === 0 ? new real(real.now() + ms) : Reflect.construct(of, words, as),
  get: (of, name) => name === "now" ? () => real.now() + ms : Reflect.get(of, name),
});`;
    await writeFile(ahead, program);
    const contained = join(lab.lab.folder, "contained.cjs");
    // The agent as root of an unprivileged container. That it is ready is said at once, for what the lab listens to does not go along.
    const inside = `const { GODWIT_READY_FD: ready, ...environment } = process.env;
if (ready !== undefined) {
  require("node:fs").writeSync(Number(ready), "ready");
  const own = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve("/usr/bin/unshare", ["unshare", "--user", "--map-root-user", ...own], environment);
}`;
    await writeFile(contained, inside);
    await restart("b", { NODE_OPTIONS: `--require=${contained} --require=${ahead}` });
    await expect
      .poll(() => check("web-1", "b").catch(() => []), { timeout: 60_000 })
      .toEqual(["DESTINATION_WITHOUT_VM_UIDS b", "HOSTS_CLOCKS_APART b (warning)"]);
  });

  test("a host that lacks much is told all of it at once", async () => {
    // All programs of the machine but nft.
    const copy = `ln -s /usr/sbin/* /usr/bin/* "$1" 2>/dev/null; rm -f "$1/nft"`;
    await run("sh", ["-c", copy, "link", programs], { what: "leaving nft out", okCodes: [0, 1] });
    const path = (process.env.PATH ?? "").split(":").filter((folder) => !/^\/(?:usr\/)?s?bin$/.test(folder));
    const host = lab.lab.host("b");
    await host.endAgent();
    await host.configure({
      migration: undefined,
      portGroups: [],
      qemu: { binary: binaryOf("10."), vmUids: { first: 2_010_000_000, count: 50_000_000 } },
    });
    await host.endSanlock();
    await restart("b", { PATH: [...path, programs].join(":") });
    await expect
      .poll(() => check("web-1", "b").catch(() => []), { timeout: 90_000 })
      .toEqual([
        "DESTINATION_LACKS_NETWORK b",
        "DESTINATION_LEASES_UNAVAILABLE b",
        "DESTINATION_VM_UIDS_DIFFER b",
        "MIGRATION_NETWORK_MISSING b",
        "SNAPSHOT_LACKS_THERE b (warning)",
      ]);
    expect(await check("fixed", "b")).toEqual([
      "DESTINATION_LACKS_NETWORK b",
      "DESTINATION_LEASES_UNAVAILABLE b",
      "NETWORK_FILTER_MISSING b",
    ]);
    const refused = lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } });
    const error: unknown = await refused.catch((reason: unknown) => reason);
    expect(GodwitError.is(error, "MOVE_REFUSED") && withoutBusyMachine(error.findings)).toHaveLength(5);
    expect(await lab.runnersOf(await lab.vm("web-1"))).toEqual(["a"]);
  });
});
