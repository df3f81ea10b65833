/**
 * The way of a migration is tried before a move: each thing that can be wrong with it is made wrong in turn, by the
 * administrator's own commands in the hosts' namespaces, and is told as what it is while nothing has been done yet.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, moveOf, type Finding } from "@godwit/contract";
import { TestLab, withoutBusyMachine } from "@godwit/test-kit";
import { run, until } from "@godwit/system";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Hold } from "../../faults/hold.ts";

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"], pausePoints: true });
  await lab.boot({ on: "a" });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

/** In a part of the lab: `a`, `b`, or `net`, where the switches are. */
async function on(part: string, command: string): Promise<string> {
  const [program = "", ...args] = command.split(" ");
  const argv = ["netns", "exec", lab.lab.namespace(part), program, ...args];
  return (await run("ip", argv, { what: `running ${command} on ${part}` })).stdout;
}

/** A firewall's rule in a host, until the scope ends. */
async function firewall(part: string, hook: "input" | "output", rule: string): Promise<AsyncDisposable> {
  const chain = `{ type filter hook ${hook} priority 0; }`;
  const input = `add table inet test\nadd chain inet test ${hook} ${chain}\nadd rule inet test ${hook} ${rule}\n`;
  const argv = ["netns", "exec", lab.lab.namespace(part), "nft", "-f", "-"];
  await run("ip", argv, { what: "setting up a firewall", input });
  return {
    [Symbol.asyncDispose]: async () => {
      await on(part, "nft delete table inet test");
    },
  };
}

/** Without what is said of the machine that the lab is on, when it is busy. */
const check = async (): Promise<Finding[]> =>
  (await lab.api.call("vmCheck", { params: { vm: "web-1" }, body: { to: "b" } })).findings.filter(
    ({ code }) => code !== "DESTINATION_UNHEALTHY",
  );

/** What `vm check` says is in the way, as codes with the hosts that they name. */
const errors = async (): Promise<string[]> =>
  (await check())
    .filter(({ severity }) => severity === "error")
    .map(({ code, host }) => `${code} ${host ?? ""}`.trim());

const ports = "tcp dport 49152-49215";
/** In this lab: the addresses of b. */
const [managementOfB, migrationOfB] = ["10.87.1.12", "10.87.2.12"];

test("an open way is found open, and nothing listens there afterwards", async () => {
  expect(await errors()).toEqual([]);
  expect(await on("b", "ss -Hltn src 10.87.2.12")).toBe("");
});

test("a migration link that is cut, switched off or without its address is told as that, at either end", async () => {
  for (const host of ["a", "b"]) {
    await on("net", `ip link set ${host}-mig down`);
    expect(await errors()).toEqual([`MIGRATION_LINK_NO_CARRIER ${host}`]);
    await on("net", `ip link set ${host}-mig up`);
  }
  await on("b", "ip link set migration down");
  expect(await errors()).toEqual(["MIGRATION_LINK_OFF b"]);
  await on("b", "ip link set migration up");
  await on("b", `ip address del ${migrationOfB}/24 dev migration`);
  expect(await errors()).toEqual(["MIGRATION_ADDRESS_ABSENT b"]);
  await on("b", `ip address add ${migrationOfB}/24 dev migration`);
  expect(await errors()).toEqual([]);
});

test("a firewall that drops is another thing than one that rejects, and a move is refused", async () => {
  {
    await using _rule = await firewall("b", "input", `${ports} drop`);
    const [found] = await check();
    expect(found).toMatchObject({ code: "MIGRATION_PORT_FILTERED", host: "b", severity: "error" });
    expect(found?.message).toMatch(
      /^Host a gets no answer to connections to 10\.87\.2\.12:49152, where host b listened/,
    );
    const refused = lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } });
    const error: unknown = await refused.catch((reason: unknown) => reason);
    expect(
      GodwitError.is(error, "MOVE_REFUSED") && withoutBusyMachine(error.findings).map(({ code }) => code),
    ).toEqual(["MIGRATION_PORT_FILTERED"]);
  }
  {
    await using _rule = await firewall("b", "input", `${ports} reject with tcp reset`);
    expect(await errors()).toEqual(["MIGRATION_PORT_REJECTED b"]);
  }
  {
    // The source's own: the kernel drops without a word too.
    await using _rule = await firewall("a", "output", `${ports} drop`);
    expect(await errors()).toEqual(["MIGRATION_PORT_FILTERED b"]);
  }
  expect(await errors()).toEqual([]);
});

test("a destination that nobody on the link answers for, and a way around the migration link, are told", async () => {
  await on("b", "ip link set migration arp off");
  await on("a", "ip neighbour flush dev migration");
  expect(await errors()).toEqual(["MIGRATION_HOST_UNANSWERED b"]);
  await on("b", "ip link set migration arp on");

  await on("a", `ip route add ${migrationOfB}/32 via ${managementOfB} dev management`);
  const [found] = await check();
  expect(found).toMatchObject({ code: "MIGRATION_ROUTE_ELSEWHERE", severity: "warning" });
  expect(found?.message).toContain("over its link management, not over its migration link migration");
  await on("a", `ip route del ${migrationOfB}/32`);

  await on("a", `ip route add unreachable ${migrationOfB}/32`);
  expect(await errors()).toEqual(["MIGRATION_ROUTE_MISSING b"]);
  await on("a", `ip route del unreachable ${migrationOfB}/32`);
});

test("full-size packets that are lost in one direction are found, though connections are made", async () => {
  for (const [sender, receiver] of [
    ["a", "b"],
    ["b", "a"],
  ] as const) {
    await using _rule = await firewall(receiver, "input", "iifname migration meta length > 1000 drop");
    const [found, ...others] = await check();
    expect(found).toMatchObject({ code: "MIGRATION_PACKETS_LOST", details: { sender, receiver } });
    expect(others).toEqual([]);
  }
  expect(await errors()).toEqual([]);
});

test("a way that is slow somewhere between the hosts is a warning", async () => {
  await on("net", "tc qdisc add dev b-mig root tbf rate 50mbit burst 64kb latency 400ms");
  try {
    // A try takes the best of four parts, and one that reads late sees them come at once: on a busy machine not each finds it.
    const slow = [{ code: "MIGRATION_PATH_SLOW", severity: "warning" }];
    await expect.poll(check, { timeout: 60_000 }).toMatchObject(slow);
  } finally {
    await on("net", "tc qdisc del dev b-mig root");
  }
  // Where the machine is busy, a try may find a way slow that is not.
  await expect.poll(check).toEqual([]);
});

test("another machine at the address, one that hangs up, and a source that may not send are told apart", async () => {
  for (const [answer, code] of [
    ["socket.end(Buffer.alloc(32))", "MIGRATION_ADDRESS_FOREIGN"],
    ["socket.resetAndDestroy()", "MIGRATION_PATH_BROKEN"],
  ] as const) {
    const program = `require("node:net").createServer((socket) => { socket.on("error", () => {}); ${answer}; }).listen(7777, () => console.log("ready"))`;
    const words = ["netns", "exec", lab.lab.namespace("a"), process.execPath, "-e", program];
    const other = spawn("ip", words, { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await once(other.stdout, "data");
      const chain = "add table ip test\nadd chain ip test out { type nat hook output priority -100; }\n";
      const input = `${chain}add rule ip test out ${ports} redirect to :7777\n`;
      const argv = ["netns", "exec", lab.lab.namespace("a"), "nft", "-f", "-"];
      await run("ip", argv, { what: "putting another machine in the way", input });
      expect(await errors()).toEqual([`${code} b`]);
    } finally {
      await on("a", "nft delete table ip test");
      other.kill();
    }
  }
  await on("a", "ip rule add ipproto tcp dport 49152-49215 prohibit");
  expect(await errors()).toEqual(["MIGRATION_SENDING_FORBIDDEN b"]);
  await on("a", "ip rule del ipproto tcp dport 49152-49215 prohibit");
  expect(await errors()).toEqual([]);
});

test("a way that could not be tried is no way that is closed", async () => {
  const { stdout } = await run("sh", ["-c", 'realpath "$(command -v ip)"'], { what: "looking for ip" });
  const program = stdout.trim();
  const [copy, broken] = ["ip-copy", "ip-broken"].map((name) => join(lab.lab.folder, name)) as [
    string,
    string,
  ];
  await run("cp", [program, copy], { what: "copying ip" });
  const script = `#!/bin/sh\ncase "$*" in *"route get"*) echo "out of order" >&2; exit 3 ;; esac\nexec ${copy} "$@"\n`;
  await writeFile(broken, script, { mode: 0o755 });
  const inHost = async (...words: string[]) => {
    const target = ["--target", String(lab.lab.host("a").agent?.pid ?? 0), "--mount"];
    await run("nsenter", [...target, ...words], { what: "breaking ip on a" });
  };
  await inHost("mount", "--bind", broken, program);
  try {
    expect(await check()).toMatchObject([{ code: "MIGRATION_PATH_UNTRIED", severity: "warning" }]);
  } finally {
    await inHost("umount", program);
  }
  // Where the machine is busy, a try may find a way slow that is not.
  await expect.poll(check).toEqual([]);
});

test("the VM's own network is looked at too: bridge, uplink, MTU", async () => {
  await on("b", "ip link set br-office down");
  expect(await errors()).toEqual(["NETWORK_BRIDGE_OFF b"]);
  await on("b", "ip link set br-office up");
  await on("b", "ip link set office nomaster");
  expect(await errors()).toEqual(["NETWORK_UPLINK_ELSEWHERE b"]);
  await on("b", "ip link set office master br-office");
  await on("net", "ip link set b-off down");
  expect(await errors()).toEqual(["NETWORK_LINK_DOWN b"]);
  await on("net", "ip link set b-off up");
  await on("b", "ip link set office mtu 1400");
  expect(await errors()).toEqual(["NETWORK_MTU_SMALLER b"]);
  await on("b", "ip link set office mtu 1500");
  await on("b", "ip link set br-office name br-elsewhere");
  expect(await errors()).toEqual(["NETWORK_WITHOUT_BRIDGE b"]);
  await on("b", "ip link set br-elsewhere name br-office");
  expect(await errors()).toEqual([]);
});

test("a way that closes just before QEMU connects ends the move in seconds, with QEMU's attempt, and says why", async () => {
  const vm = await lab.vm("web-1");
  const hold = await Hold.at(lab.lab, "a", "prepared");
  const task = await lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } });
  await hold.reached(AbortSignal.timeout(60_000));
  {
    await using _rule = await firewall("b", "input", `${ports} drop`);
    await hold.letGo();
    expect(await lab.ended(task)).toMatchObject({
      state: "failed",
      error: { code: "MIGRATION_NOT_CONNECTED", details: { from: "a", host: "b", address: migrationOfB } },
    });
    expect(await on("a", "ss -Htn state syn-sent")).toBe("");
  }
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  expect(await lab.settled(1)).toEqual([]);
});

test("once everything is as it should be the VM moves, and over IPv6 as well", async () => {
  const vm = await lab.vm("web-1");
  await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } }));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);

  for (const [host, last] of [
    ["a", 11],
    ["b", 12],
  ] as const) {
    // As people write it, and not as the kernel does.
    const address = `FD00:87:0:2::00${String(last)}`;
    await on(host, `ip address add ${address}/64 dev migration nodad`);
    const file = join(lab.lab.host(host).folder, "agent.yaml");
    await writeFile(file, (await readFile(file, "utf8")).replace(`10.87.2.${String(last)}`, `"${address}"`));
    await lab.lab.host(host).endAgent();
    await lab.lab.host(host).startAgent();
  }
  const isOpen = async () =>
    (await lab.api.call("hostList", {})).hosts.every(({ state }) => state === "connected");
  await until(isOpen, { everyMs: 200, limitMs: 60_000 });
  const task = await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "a" } }));
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  expect(moveOf(task)).toMatchObject({ phase: "succeeded", encrypted: true });
  // Of the routes by which the stream and its acknowledgements went.
  const [addressOfA, addressOfB] = ["fd00:87:0:2::11", "fd00:87:0:2::12"];
  expect(await on("a", `ip -6 route get ${addressOfB} from ${addressOfA}`)).toContain("quickack 1");
  expect(await on("b", `ip -6 route get ${addressOfA} from ${addressOfB}`)).toContain("quickack 1");
  expect(await lab.settled(1)).toEqual([]);
});
