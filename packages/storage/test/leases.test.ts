/** Two hosts' sanlock daemons on one storage: who may hold a VM's lease, and what is left when a host dies. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { appendFileSync } from "node:fs";
import { open, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { VmId } from "@godwit/contract";
import { Datastore, DiskLeases, markDatastore, Sanlock, type LeasedVm } from "@godwit/storage";
import { identifyProcess, sleep } from "@godwit/system";
import { afterAll, beforeAll, expect, test } from "vitest";

const datastore = "shared";

/** A host with a sanlock daemon of its own. */
class Host {
  readonly name: string;
  readonly folder: string;
  readonly leases: DiskLeases;
  readonly #storage: string;
  #daemon: ChildProcess | null = null;

  constructor(name: string, folder: string, storage: string) {
    this.name = name;
    this.folder = folder;
    this.#storage = storage;
    this.leases = this.open();
  }

  /** As an agent that starts again would. @param sanlock that it asks */
  open(sanlock = new Sanlock({ runFolder: this.folder })): DiskLeases {
    return new DiskLeases({
      host: this.name,
      runFolder: join(this.folder, "leases"),
      ioTimeoutSeconds: 1,
      sanlock,
      datastore: () => Datastore.open({ name: datastore, path: this.#storage, shared: true }, this.name),
    });
  }

  async start(): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    const options = ["-D", "-w", "0", "-h", "0", "-l", "0", "-U", "root", "-G", "root", "-S", "-1"];
    this.#daemon = spawn("sanlock", ["daemon", "-e", this.name, ...options], {
      env: { ...process.env, SANLOCK_RUN_DIR: this.folder, SANLOCK_PRIVILEGED: "0" },
      stdio: "ignore",
    });
    const sanlock = new Sanlock({ runFolder: this.folder });
    for (;;) {
      if (
        await sanlock.daemon().then(
          () => true,
          () => false,
        )
      )
        break;
      await sleep(20);
    }
    await (await this.leases.lockspace(datastore)).join();
  }

  /** Its daemon renews nothing, until it goes on. */
  freeze(): void {
    this.#daemon?.kill("SIGSTOP");
  }

  /** Goes on, and takes part again: who was frozen for too long has left, and joins again as an agent's upkeep does. */
  async goOn(): Promise<void> {
    this.#daemon?.kill("SIGCONT");
    const lockspace = await this.leases.lockspace(datastore);
    for (;;) {
      await lockspace.refreshHosts().catch(() => null);
      if (lockspace.isFresh(this.name) && (await lockspace.presence()) === "joined") return;
      await lockspace.join().catch(() => null);
      await sleep(100);
    }
  }

  async kill(): Promise<void> {
    if (this.#daemon?.signalCode !== null) return;
    const gone = once(this.#daemon, "exit");
    this.#daemon.kill("SIGKILL");
    await gone;
  }
}

let folder: string;
let storage: string;
let a: Host;
let b: Host;

beforeAll(async () => {
  // Where direct I/O works, which leases need.
  await mkdir("/var/lib/godwit-lab", { recursive: true });
  folder = await mkdtemp("/var/lib/godwit-lab/.leases-");
  storage = join(folder, "storage");
  await mkdir(storage);
  await markDatastore({ name: datastore, path: storage, shared: true }, "a");
  a = new Host("a", join(folder, "a"), storage);
  b = new Host("b", join(folder, "b"), storage);
  await Promise.all([a.start(), b.start()]);
});

afterAll(async () => {
  await Promise.all([a.kill(), b.kill()]);
  // Holders notice that their sanlock is gone, and write that down, while this goes through their folders.
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
});

test("sanlock is asked also by a program that has no descriptor left", async () => {
  const { name } = await a.leases.lockspace(datastore);
  const asking = fileURLToPath(new URL("ask-sanlock.ts", import.meta.url));
  const { stdout } = await promisify(execFile)("prlimit", [
    ...["--nofile=48:48", process.execPath, asking],
    ...[a.folder, name, join(storage, ".godwit-leases"), a.name],
  ]);
  expect(JSON.parse(stdout)).toEqual({
    joined: [[name, true]],
    hosts: ["a", "b"],
    hasRenewed: true,
    program: "PROGRAM_NOT_STARTED",
    afterwards: 2,
  });
});

async function newVm(): Promise<LeasedVm> {
  const vm = { id: randomUUID() as VmId, name: `vm-${randomUUID().slice(0, 8)}`, datastore };
  await mkdir(join(storage, vm.name));
  await writeFile(join(storage, vm.name, "vm.json"), "{}");
  return vm;
}

const refused = (code: string) => expect.objectContaining({ code }) as unknown;

test("one host holds a lease alone; another is told who holds it, and may have it afterwards", async () => {
  const vm = await newVm();
  expect(await a.leases.acquire(vm, "EX")).toMatchObject({
    version: 1,
    holders: [{ host: "a", mode: "EX", fresh: true }],
  });
  const refusal = await b.leases.acquire(vm, "EX").catch((error: unknown) => error);
  expect(refusal).toMatchObject({
    code: "LEASE_HELD",
    message: expect.stringMatching(/held by host a \(EX, since 20/) as string,
  });
  await expect(b.leases.acquire(vm, "SH")).rejects.toEqual(refused("LEASE_HELD"));
  const since = (await b.leases.show(vm)).holders[0]?.since ?? "";
  expect(Math.abs(Date.parse(since) - Date.now())).toBeLessThan(20_000);
  await a.leases.release(vm);
  await a.leases.release(vm); // once more changes nothing
  expect(await b.leases.acquire(vm, "EX")).toMatchObject({
    version: 2,
    holders: [{ host: "b", mode: "EX" }],
  });
  await b.leases.release(vm);
  expect(await a.leases.show(vm)).toMatchObject({ version: 2, holders: [] });
});

test("a host leaves a datastore's leases when it holds none of a VM there, is seen as gone at once, and joins again", async () => {
  const vm = await newVm();
  await a.leases.acquire(vm, "EX");
  expect(await a.leases.leave(datastore)).toBe(false);
  const lockspace = await a.leases.lockspace(datastore);
  expect(await lockspace.presence()).toBe("joined");
  await a.leases.release(vm);
  expect(await a.leases.leave(datastore)).toBe(true);
  expect(await lockspace.presence()).toBe("absent");
  expect(lockspace.isFresh("a")).toBe(false);
  // What it left is nobody's: the other host has it without waiting for a host that is silent.
  expect(await b.leases.acquire(vm, "EX")).toMatchObject({ holders: [{ host: "b", mode: "EX" }] });
  await b.leases.release(vm);
  await (await a.leases.lockspace(datastore)).join();
  expect(await a.leases.acquire(vm, "EX")).toMatchObject({ holders: [{ host: "a", mode: "EX" }] });
  await a.leases.release(vm);
  expect(await a.open().leave(datastore)).toBe(true); // of an agent that never looked at it
});

test("a lease is handed over through a time in which both share it and nobody else can have it", async () => {
  const vm = await newVm();
  const { version } = await a.leases.acquire(vm, "EX");
  await a.leases.convert(vm, "SH");
  await b.leases.acquire(vm, "SH");
  expect((await a.leases.show(vm)).holders.map(({ host, mode }) => `${host} ${mode}`)).toEqual([
    "a SH",
    "b SH",
  ]);
  await expect(a.leases.convert(vm, "EX")).rejects.toEqual(refused("LEASE_HELD"));
  await expect(b.leases.convert(vm, "EX")).rejects.toEqual(refused("LEASE_HELD"));
  await a.leases.release(vm);
  const handedOver = await b.leases.convert(vm, "EX");
  expect(handedOver).toMatchObject({ holders: [{ host: "b", mode: "EX" }], fenced: [] });
  expect(handedOver.version).toBeGreaterThan(version);
  await expect(a.leases.convert(vm, "EX")).rejects.toEqual(refused("LEASE_NOT_HELD"));
  await b.leases.release(vm);
});

test("a share that is asked for exclusively twice at once is given, and who is missed is known to both", async () => {
  for (let repetition = 0; repetition < 10; repetition++) {
    const vm = await newVm();
    await a.leases.acquire(vm, "EX");
    await a.leases.convert(vm, "SH");
    const granted = await Promise.all([a.leases.convert(vm, "EX"), a.leases.acquire(vm, "EX")]);
    const alone = { holders: [{ host: "a", mode: "EX" }], fenced: [] };
    expect(granted).toMatchObject([alone, alone]);
    await Promise.all([a.leases.release(vm), a.leases.release(vm)]);
    expect((await b.leases.show(vm)).holders).toEqual([]);
  }
});

test("a share that is asked for exclusively while the other host gives its own back is given, or is still held", async () => {
  const vm = await newVm();
  for (let repetition = 0; repetition < 10; repetition++) {
    await a.leases.acquire(vm, "SH");
    await b.leases.acquire(vm, "SH");
    const givenBack = b.leases.release(vm);
    const asked = await a.leases.convert(vm, "EX").catch((error: unknown) => error);
    if (asked instanceof Error) expect(asked).toEqual(refused("LEASE_HELD"));
    await givenBack;
    expect(await a.leases.convert(vm, "EX")).toMatchObject({
      holders: [{ host: "a", mode: "EX" }],
      fenced: [],
    });
    await a.leases.release(vm);
  }
});

test("an agent that starts again finds what it holds, and asking again changes nothing", async () => {
  const vm = await newVm();
  const before = await a.leases.acquire(vm, "EX");
  const again = a.open();
  expect(await again.own()).toContainEqual({ vm, mode: "EX", isBroken: false, isOrphan: false });
  const after = await again.acquire(vm, "EX");
  expect(after.version).toBe(before.version);
  await again.release(vm);
  expect((await again.own()).filter((lease) => lease.vm.id === vm.id)).toEqual([]);
});

test("the lease stays until nothing is under way of what its program wrote, however the program ended", async () => {
  for (const how of ["ended for the release", "killed", "killed on an image that it has changed to"]) {
    const vm = await newVm();
    await a.leases.acquire(vm, "EX");
    // A read of it takes until somebody writes, as one of an image does while its storage is away.
    const image = join(folder, `${vm.name}.fifo`);
    await promisify(execFile)("mkfifo", [image]);
    await using away = await open(image, "r+");
    const isLater = how.includes("changed to");
    const pid = await runningUnder(a, vm, { images: isLater ? [] : [image] });
    if (isLater) await a.leases.writesTo(vm.id, { images: [image], portals: [] });
    if (how.startsWith("killed")) process.kill(pid, "SIGKILL");
    const released = a.leases.release(vm);
    await gone(pid);
    await sleep(500);
    await expect(b.leases.acquire(vm, "EX"), how).rejects.toEqual(refused("LEASE_HELD"));
    await away.write("x");
    await released;
    expect(await b.leases.acquire(vm, "EX"), how).toMatchObject({ holders: [{ host: "b", mode: "EX" }] });
    await b.leases.release(vm);
  }
});

test("what its program had handed to the kernel for a LUN is not sent after the lease is given back", async () => {
  const vm = await newVm();
  await a.leases.acquire(vm, "EX");
  // A target that does not read for a while.
  const target = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(target, "listening");
  const port = (target.address() as AddressInfo).port;
  const connected = once(target, "connection") as Promise<[Socket]>;
  const written = join(folder, `${vm.name}.written`);
  const client = [
    `use IO::Socket::INET; my $socket = IO::Socket::INET->new("127.0.0.1:${String(port)}") or die; $socket->blocking(0);`,
    `my $sent = 0; while (defined(my $part = syswrite $socket, "x" x 65536)) { $sent += $part }`,
    `open my $file, ">", "${written}.new"; print {$file} $sent; close $file; rename "${written}.new", "${written}"; sleep 600`,
  ].join(" ");
  const portals = [`127.0.0.1:${String(port)}`];
  const pid = await runningUnder(a, vm, { portals }, `perl -e '${client}'`);
  const [socket] = await connected;
  let sent = 0;
  while (sent === 0) {
    await sleep(20);
    sent = Number(await readFile(written, "utf8").catch(() => "0"));
  }
  process.kill(pid, "SIGKILL");
  await a.leases.release(vm);
  // The target is there again.
  let received = 0;
  socket.on("data", (part) => (received += part.length));
  const ended = once(socket, "end").then(
    () => "all of it came",
    (error: unknown) => (error as NodeJS.ErrnoException).code,
  );
  socket.resume();
  expect(await ended).toBe("ECONNRESET");
  expect(received).toBeLessThan(sent);
  target.close();
});

test("a holder of an earlier version, which takes every other word for its end, is not told of other storage", async () => {
  const vm = await newVm();
  await a.leases.acquire(vm, "EX");
  const pid = await runningUnder(a, vm);
  await rm(join(a.folder, "leases", vm.id, "opens"));
  await a.leases.writesTo(vm.id, { images: ["/dev/null"], portals: [] });
  await sleep(500);
  expect(await identifyProcess(pid)).not.toBeNull();
  expect(await readFile(join(a.folder, "leases", vm.id, "files"), "utf8")).toBe("");
  await a.leases.release(vm);
});

test("a lease outlives its holder and the program under it: it is given back by a decision only", async () => {
  const vm = await newVm();
  await a.leases.acquire(vm, "EX");
  const pid = await runningUnder(a, vm);
  const holder = (await readFile(`/proc/${String(pid)}/stat`, "utf8")).split(" ")[3] ?? "";
  process.kill(Number(holder), "SIGKILL");
  await sleep(500);
  await expect(b.leases.acquire(vm, "EX")).rejects.toEqual(refused("LEASE_HELD"));
  expect(await a.leases.own()).toContainEqual({ vm, mode: "EX", isBroken: false, isOrphan: true });
  process.kill(pid, "SIGKILL");
  await a.open().release(vm);
  expect((await a.leases.own()).filter((lease) => lease.vm.id === vm.id)).toEqual([]);

  await b.leases.acquire(vm, "EX");
  process.kill(await runningUnder(b, vm), "SIGKILL");
  await sleep(500);
  await expect(a.leases.acquire(vm, "EX")).rejects.toEqual(refused("LEASE_HELD"));
  await b.leases.release(vm);
  await a.leases.acquire(vm, "EX");
  await a.leases.release(vm);
});

test("what runs under a lease has ended when the lease is given back", async () => {
  const vm = await newVm();
  await a.leases.acquire(vm, "EX");
  const pid = await runningUnder(a, vm);
  await a.leases.release(vm);
  expect(await identifyProcess(pid)).toBeNull();
  expect(await b.leases.show(vm)).toMatchObject({ holders: [] });
});

test("a program that a signal ended, or that failed without a word, has that in its log", async () => {
  for (const [program, told] of [
    ["sleep 600", "was ended by signal 11"],
    ["sh -c 'exit 3'", "ended with status 3"],
    ["true", ""],
  ] as const) {
    const vm = await newVm();
    await a.leases.acquire(vm, "EX");
    const pid = await runningUnder(a, vm, {}, program);
    if (told.includes("signal")) process.kill(pid, "SIGSEGV");
    await gone(pid);
    await a.leases.release(vm);
    const log = await readFile(join(folder, `${vm.name}.log`), "utf8");
    if (told === "") expect(log).toBe("");
    else expect(log).toMatch(new RegExp(`^\\S+Z QEMU ${told}\\n$`));
  }
});

test("what a program has started by itself has ended too when the lease is given back, however the program ended", async () => {
  for (const how of ["ended for the release", "killed"]) {
    const vm = await newVm();
    await a.leases.acquire(vm, "EX");
    const child = join(folder, `${vm.name}.child`);
    // As a TPM whose write to its storage hangs: its parent's end and a request to end do nothing to it.
    const program = join(folder, `${vm.name}.sh`);
    await writeFile(
      program,
      `(trap "" TERM HUP; sh -c 'echo $PPID' >${child}.new; mv ${child}.new ${child}; sleep 600) & exec sleep 600`,
    );
    const pid = await runningUnder(a, vm, {}, `sh ${program}`);
    let left = 0;
    while (left === 0) {
      await sleep(20);
      left = Number(await readFile(child, "utf8").catch(() => "0"));
    }
    if (how === "killed") process.kill(pid, "SIGKILL");
    await a.leases.release(vm);
    const lives = await identifyProcess(left);
    if (lives !== null) process.kill(left, "SIGKILL");
    expect(lives, how).toBeNull();
  }
});

test("who shares a lease is remembered over an answer that was lost: a host that gave it back is not missed", async () => {
  const vm = await newVm();
  await a.leases.acquire(vm, "EX");
  await a.leases.convert(vm, "SH");
  await b.leases.acquire(vm, "SH");
  await expect(a.leases.convert(vm, "EX")).rejects.toEqual(refused("LEASE_HELD"));
  await b.leases.release(vm);
  expect(await a.open().convert(vm, "EX")).toMatchObject({
    fenced: [],
    holders: [{ host: "a", mode: "EX" }],
  });
  await a.leases.release(vm);
});

test("a sharer that has given its share back is not missed because its host is slow to renew", async () => {
  const vm = await newVm();
  await a.leases.acquire(vm, "SH");
  await b.leases.acquire(vm, "SH");
  await expect(a.leases.convert(vm, "EX")).rejects.toEqual(refused("LEASE_HELD"));
  await b.leases.release(vm);
  b.freeze();
  const lockspace = await a.leases.lockspace(datastore);
  for (let seen = true; seen; seen = lockspace.isFresh("b")) {
    await sleep(100);
    await lockspace.refreshHosts();
  }
  const granted = await a.leases.convert(vm, "EX");
  await b.goOn();
  // Its next renewal is seen by the other host a moment later.
  while (!lockspace.isFresh("b")) {
    await sleep(100);
    await lockspace.refreshHosts();
  }
  expect(granted).toMatchObject({ holders: [{ host: "a", mode: "EX" }], fenced: [] });
  await a.leases.release(vm);
});

test("a lease is not broken while its holder is alive", async () => {
  const vm = await newVm();
  await a.leases.acquire(vm, "EX");
  await expect(b.leases.break(vm, "a")).rejects.toEqual(refused("LEASE_HOLDER_ALIVE"));
  await a.leases.release(vm);
});

test("a lease that was revoked gives its holder no right to start the VM, and others only its successor", async () => {
  const vm = await newVm();
  await b.leases.acquire(vm, "EX");
  await b.leases.mustCount(vm);
  await expect(a.leases.mustCount(vm)).rejects.toEqual(refused("LEASE_NOT_HELD"));
  await expect(a.leases.silentLease(vm, "b")).rejects.toEqual(refused("LEASE_HOLDER_ALIVE"));
  const { name: lockspace } = await a.leases.lockspace(datastore);
  const place = { lockspace, resource: vm.id, path: join(storage, vm.name, "lease-1") };
  // As a fence that was cut off, of a host that was silent for a while only.
  await a.leases.revoke(place, "b");
  await expect(b.leases.mustCount(vm)).rejects.toEqual(refused("LEASE_NOT_HELD"));
  await expect(b.leases.convert(vm, "EX")).rejects.toEqual(refused("LEASE_NOT_HELD"));
  expect((await b.leases.own()).find((own) => own.vm.id === vm.id)).toMatchObject({ isBroken: true });
  await expect(a.leases.acquire(vm, "EX")).rejects.toEqual(refused("LEASE_HELD"));
  await expect(a.leases.break(vm, "b", place)).rejects.toEqual(refused("LEASE_HOLDER_ALIVE"));
  await b.leases.release(vm);
  const before = await a.leases.show(vm);
  expect(before).toMatchObject({ holders: [], version: 1_000_000_000 });
  const both = await Promise.allSettled([a.leases.acquire(vm, "EX"), b.leases.acquire(vm, "EX")]);
  const granted = both.filter(({ status }) => status === "fulfilled");
  expect(granted.length).toBeLessThan(2);
  const winner = both[0].status === "fulfilled" ? a : b;
  const lease = await winner.leases.acquire(vm, "EX");
  expect(lease.version).toBeGreaterThan(before.version);
  await winner.leases.mustCount(vm);
  await expect(a.leases.break(vm, winner.name, place)).rejects.toEqual(refused("LEASE_HOLDER_ALIVE"));
  await winner.leases.mustCount(vm);
  await winner.leases.release(vm);
});

/** Asks for a lease late: it is revoked when everything was looked at, and sanlock is about to be asked. */
class LateSanlock extends Sanlock {
  override commandUnder(...[place, ...more]: Parameters<Sanlock["commandUnder"]>): string[] {
    appendFileSync(`${place.path}.revoked`, "host c fences host b\n");
    return super.commandUnder(place, ...more);
  }
}

test("a lease that was revoked while a host was about to take it is given back, and counts for nobody", async () => {
  const vm = await newVm();
  await b.leases.acquire(vm, "EX");
  await b.leases.release(vm);
  const late = a.open(new LateSanlock({ runFolder: a.folder }));
  const refusal = await late.acquire(vm, "EX").catch((error: unknown) => error);
  expect(refusal).toMatchObject({
    ...{
      code: "LEASE_UNAVAILABLE",
      message: expect.stringMatching(/broken or revoked while host a/) as string,
    },
  });
  expect(await a.leases.isHeld(vm.id)).toBe(false);
  expect(await b.leases.acquire(vm, "EX")).toMatchObject({ version: 1_000_000_001 });
  await b.leases.release(vm);
});

/** The agent is killed when a lease is marked, and its successor is about to be formatted. */
class CutOffSanlock extends Sanlock {
  readonly reached = Promise.withResolvers<undefined>();

  override initResource(): Promise<void> {
    this.reached.resolve(undefined);
    return new Promise(() => undefined);
  }
}

async function cutOff(host: Host, vm: LeasedVm, of: string): Promise<void> {
  const sanlock = new CutOffSanlock({ runFolder: host.folder });
  const breaking = host.open(sanlock).break(vm, of);
  await Promise.race([sanlock.reached.promise, breaking]);
  const files = await readdir(join(storage, vm.name));
  expect(files).toContain("lease-1.revoked");
  expect(files).not.toContain("lease-2");
}

test("sanlock dies on a host: its VMs end at once, others are told when the lease is free, a broken one is free at once, a shared one tells who is missed", async () => {
  const [waited, broken, shared, fenced] = [await newVm(), await newVm(), await newVm(), await newVm()];
  const [brokenAgain, leftBroken] = [await newVm(), await newVm()];
  for (const vm of [fenced, brokenAgain, leftBroken]) await b.leases.acquire(vm, "EX");
  await b.leases.acquire(waited, "EX");
  await b.leases.acquire(broken, "EX");
  await a.leases.acquire(shared, "SH");
  await b.leases.acquire(shared, "SH");
  const pid = await runningUnder(b, waited);
  const killedAt = performance.now();
  await b.kill();
  await gone(pid);
  const told = await silent(a, waited);
  expect((told.freeInMs ?? 0) + performance.now() - killedAt).toBeGreaterThan(55_000);
  expect(told.freeInMs).toBeLessThan(68_000);
  const refusal = await a.leases.acquire(waited, "EX").catch((error: unknown) => error);
  expect(refusal).toMatchObject({
    message: expect.stringMatching(/does not respond, lease free in \d+ s/) as string,
  });

  // A fence that was cut off: who gets it when it is free, has its successor.
  await a.leases.revoke(await a.leases.silentLease(waited, "b"), "b");

  const before = await a.leases.show(broken);
  const after = await a.leases.break(broken, "b");
  expect(after).toMatchObject({ holders: [] });
  expect(after.version).toBeGreaterThan(before.version);
  // Who took it for free before that, and does not see its successor yet, is told.
  expect(await readFile(join(storage, broken.name, "lease-1.revoked"), "utf8")).toMatch(/host a breaks it/);
  expect((await a.leases.acquire(broken, "EX")).version).toBeGreaterThan(after.version);

  // The agent is killed in between. Whoever breaks it again makes what is missing; where nobody does, who gets it when it is free.
  for (const vm of [brokenAgain, leftBroken]) {
    await cutOff(a, vm, "b");
    await expect(a.open().acquire(vm, "EX")).rejects.toEqual(refused("LEASE_HELD"));
  }
  const again = a.open();
  expect(await again.break(brokenAgain, "b")).toMatchObject({ holders: [], version: 1_000_000_000 });
  expect(await again.acquire(brokenAgain, "EX")).toMatchObject({ version: 1_000_000_001 });
  await again.mustCount(brokenAgain);

  const revoked = await a.leases.silentLease(fenced, "b");
  await a.leases.revoke(revoked, "b");
  await expect(a.leases.acquire(fenced, "EX")).rejects.toEqual(refused("LEASE_HELD"));
  expect(await a.leases.break(fenced, "b", revoked)).toMatchObject({ holders: [], version: 1_000_000_000 });
  await a.leases.acquire(fenced, "EX");
  await a.leases.mustCount(fenced);
  // Who has fenced it for the lease before, and comes late, breaks nothing.
  await expect(a.leases.break(fenced, "b", revoked)).rejects.toEqual(refused("LEASE_HOLDER_ALIVE"));
  await a.leases.mustCount(fenced);

  const until = performance.now() + 90_000;
  for (const vm of [waited, leftBroken]) {
    while (performance.now() < until && (await a.leases.acquire(vm, "EX").catch(() => null)) === null) {
      // What a request that was cut off holds of the revoked one, an agent's reconciler gives back.
      const left = (await a.leases.own()).find((own) => own.vm.id === vm.id);
      if (left?.isBroken === true) await a.leases.release(vm);
      await sleep(1000);
    }
    expect(await a.leases.show(vm)).toMatchObject({
      ...{ holders: [{ host: "a", mode: "EX" }], version: 1_000_000_001 },
    });
    await a.leases.mustCount(vm);
  }
  expect(await a.leases.convert(shared, "EX")).toMatchObject({ fenced: ["b"] });
  expect(await a.open().convert(shared, "EX")).toMatchObject({ fenced: ["b"] });
  expect(await a.leases.convert(shared, "SH")).toMatchObject({ fenced: [] });
});

async function runningUnder(
  host: Host,
  vm: LeasedVm,
  { images = [], portals = [] }: { images?: readonly string[]; portals?: readonly string[] } = {},
  program = "sleep 600",
): Promise<number> {
  const pidFile = join(folder, `${randomUUID()}.pid`);
  const script = `echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec ${program}`;
  const limits = { memoryMaxBytes: 2 ** 30, tasksMax: 64, cpus: null };
  const log = join(folder, `${vm.name}.log`);
  await host.leases.launcher(vm.id)(["/bin/sh", "-c", script], log, limits, { images, portals });
  for (;;) {
    const pid = Number((await readFile(pidFile, "utf8").catch(() => "")).trim());
    if (pid > 0) return pid;
    await sleep(20);
  }
}

async function gone(pid: number): Promise<void> {
  while ((await identifyProcess(pid)) !== null) await sleep(20);
}

async function silent(host: Host, vm: LeasedVm) {
  for (;;) {
    const holder = (await host.leases.show(vm)).holders[0];
    if (holder !== undefined && !holder.fresh) return holder;
    await sleep(200);
  }
}
