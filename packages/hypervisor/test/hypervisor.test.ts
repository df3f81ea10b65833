/** Real QEMUs: started, lost sight of, found again, moved. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { readdir, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { migrationName } from "@godwit/contract";
import { QmpSession } from "@godwit/qmp";
import { isAlive, sleep } from "@godwit/system";
import { probeKvm } from "../src/kvm-probe.ts";
import { destinationSettings, Fixture, ownUser, ports, sourceSettings, user } from "./fixtures.ts";

describe.each(inject("qemuBinaries"))("%s", (binary) => {
  test("the KVM probe's guest runs where guests run, and the facts say what was found out", async () => {
    expect(await probeKvm(binary, undefined, "tcg")).toMatchObject({ works: true });
    await using fixture = await Fixture.make(binary);
    const hypervisor = await fixture.hypervisor("a");
    const facts = await hypervisor.facts();
    expect(facts.version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(facts.machines).toContain("pc-q35-7.2");
    expect(facts.cpuModels.find(({ name }) => name === "qemu64-v1")?.unavailableFeatures).toEqual([]);
    expect(facts.acceleratorReason).not.toBe("");
    expect(await hypervisor.facts()).toEqual(facts);
  });

  test("a VM stands still until it is let run, as an unprivileged user, and outlives whoever started it", async () => {
    await using fixture = await Fixture.make(binary);
    const hypervisor = await fixture.hypervisor("a");
    const qemu = await hypervisor.start(fixture.spec(false));
    expect(await qemu.status()).toMatchObject({ running: false });
    const uid = execFileSync("id", ["-u", user], { encoding: "utf8" }).trim();
    expect(readFileSync(`/proc/${String(qemu.identity.pid)}/status`, "utf8")).toMatch(
      new RegExp(`^Uid:\\s${uid}\\s${uid}\\s`, "m"),
    );
    expect(readFileSync(`/proc/${String(qemu.identity.pid)}/status`, "utf8")).toMatch(/^Seccomp:\t2$/m);
    await qemu.resume();
    expect(await qemu.status()).toMatchObject({ running: true });
    qemu.release(); // the agent is gone

    const { processes, ended } = await (await fixture.hypervisor("a")).adopt();
    expect(ended).toEqual([]);
    const [found] = processes;
    expect(found?.identity).toEqual(qemu.identity);
    expect(await found?.status()).toMatchObject({ running: true });
    const rescue = await QmpSession.connect(found?.paths.rescue ?? "");
    expect(await rescue.execute("query-status")).toMatchObject({ running: true });
    rescue.close();

    await found?.end();
    expect(await isAlive(qemu.identity)).toBe(false);
    expect(existsSync(qemu.paths.folder)).toBe(false);
  });

  test("a QEMU that does not start is told in its own words and leaves nothing behind", async () => {
    await using fixture = await Fixture.make(binary);
    const hypervisor = await fixture.hypervisor("a");
    const spec = { ...fixture.spec(false), diskPaths: { data: join(fixture.folder, "missing.qcow2") } };
    await expect(hypervisor.start(spec)).rejects.toMatchObject({
      code: "VM_START_FAILED",
      message: expect.stringContaining("missing.qcow2") as string,
    });
    expect((await hypervisor.adopt()).processes).toEqual([]);
  });

  test("a process that is ended is reported as ended when the agent comes back", async () => {
    await using fixture = await Fixture.make(binary);
    const qemu = await (await fixture.hypervisor("a")).start(fixture.spec(false));
    qemu.release();
    process.kill(qemu.identity.pid, "SIGKILL");
    while (await isAlive(qemu.identity)) await sleep(5); // not our child's end to wait for
    const { processes, ended } = await (await fixture.hypervisor("a")).adopt();
    expect(processes).toEqual([]);
    expect(ended).toMatchObject([{ spec: { vm: { name: "probe-vm" } } }]);
  });

  test("whether a QEMU that has ended was heard to its last word is known", async () => {
    await using fixture = await Fixture.make(binary);
    const hypervisor = await fixture.hypervisor("a");
    const read = await hypervisor.start(fixture.spec(false));
    await read.kill();
    expect(await read.ended).toMatchObject({ heardAll: true });
    await read.removeFolder();

    const unread = await hypervisor.start(fixture.spec(false));
    process.kill(unread.identity.pid, "SIGKILL");
    // What it has said waits, and is thrown away with the connection by a command. This program reads nothing meanwhile.
    while (isRunningNow(unread.identity.pid)) execFileSync("sleep", ["0.1"]);
    await expect(unread.status()).rejects.toMatchObject({ code: "QMP_INTERRUPTED" });
    expect(await unread.ended).toMatchObject({ heardAll: false });
    await unread.removeFolder();
  });

  test(
    "an agent that is killed while it changes a medium leaves a drive that the next one can change",
    { timeout: 300_000 },
    async () => {
      await using fixture = await Fixture.make(binary);
      const hypervisor = await fixture.hypervisor("a");
      const [first, second] = ["a.iso", "b.iso"].map((name) => join(fixture.folder, name)) as [
        string,
        string,
      ];
      for (const path of [first, second]) await writeFile(path, Buffer.alloc(1 << 20), { mode: 0o644 });
      const spec = fixture.spec(false);
      const vm = { ...spec.vm, cdroms: [{ name: "cd0", medium: null, connected: false }] };
      let qemu = await hypervisor.start({ ...spec, vm });
      await using _end = { [Symbol.asyncDispose]: () => qemu.end() };
      const open = async () => {
        const descriptors = `/proc/${String(qemu.identity.pid)}/fd`;
        const links = (await readdir(descriptors)).map((fd) =>
          readlink(join(descriptors, fd)).catch(() => ""),
        );
        return [...new Set(await Promise.all(links))].filter((path) => path.endsWith(".iso"));
      };
      const visible = () =>
        [first, second].filter((path) => {
          const file = `/proc/${String(qemu.identity.pid)}/root${path}`;
          return existsSync(file) && statSync(file).size > 0;
        });
      const change = async () => {
        await qemu.disconnectMedium("cd0");
        await qemu.connectMedium("cd0", second);
      };
      let kills = 0;
      for (let commands = 0; ; commands++) {
        await qemu.disconnectMedium("cd0");
        await qemu.connectMedium("cd0", first);
        const execute = qemu.qmp.execute.bind(qemu.qmp);
        let left = commands;
        const killed = async (...call: Parameters<typeof execute>) => {
          if (left-- <= 0) throw new Error("killed");
          return await execute(...call);
        };
        Object.assign(qemu.qmp, { execute: killed });
        const isDone = await change().then(
          () => true,
          () => false,
        );
        Object.assign(qemu.qmp, { execute });
        if (isDone) break;
        kills++;
        qemu.release();
        qemu = (await (await fixture.hypervisor("a")).adopt()).processes[0] as typeof qemu;
        await qemu.disconnectMedium("cd0");
        expect({ commands, open: await open(), visible: visible() }).toEqual({
          commands,
          open: [],
          visible: [],
        });
        await change();
        expect({ commands, open: await open(), visible: visible() }).toEqual({
          ...{ commands, open: [second], visible: [second] },
        });
      }
      expect(kills).toBe(8);
      await qemu.disconnectMedium("cd0");
      expect({ open: await open(), visible: visible() }).toEqual({ open: [], visible: [] });
    },
  );

  test("a VM with a user of its own moves over TLS, backs out of a switch on the way, and only the right source is let in", async () => {
    await using fixture = await Fixture.make(binary);
    await fixture.giveOwnUser();
    const source = await (await fixture.hypervisor("a")).start(fixture.spec(false));
    const target = await (await fixture.hypervisor("b")).start(fixture.spec(true));
    try {
      await source.resume();
      for (const { identity, paths } of [source, target]) {
        expect(uidsOf(identity.pid)).toEqual(Array(4).fill(ownUser.uid));
        expect((await stat(paths.folder)).gid).toBe(ownUser.gid);
      }
      const nameOf = (number: number) => migrationName("b", { id: "7".repeat(64), number });
      const credentials = {
        a: await fixture.credentials("a"),
        b: await fixture.credentials("b", [nameOf(2)]),
      };

      // A host with a certificate of the cluster, but not the source of this move.
      await target.migration.configure(destinationSettings);
      await target.migration.secureDestination({ credentials: credentials.b, sourceName: "a" });
      const port = await target.migration.listen("127.0.0.1", ports);
      expect(port).toBeGreaterThanOrEqual(ports.first);
      expect(port).toBeLessThanOrEqual(ports.last);
      const impostor = {
        credentials: await fixture.credentials("c"),
        destinationName: "b",
        // So slow that it is still copying when it is refused: one that waits to switch would not notice.
        settings: sourceSettings(1, 2_000_000),
      };
      await source.migration.configureSource(impostor);
      const refused = source.qmp.nextEvent(
        (e) => e.name === "MIGRATION" && e.data.status === "failed",
        60_000,
      );
      await source.migration.start("127.0.0.1", port);
      await refused;
      expect(await source.status()).toMatchObject({ running: true });
      expect((await source.migration.query()).error).toBeTruthy();
      await target.end();

      // The right host, by a certificate of before a renewal: it gets nothing.
      const earlier = await (await fixture.hypervisor("b")).start(fixture.spec(true));
      await earlier.migration.configure(destinationSettings);
      const before = await fixture.credentials("b-before", ["b", nameOf(1)]);
      await earlier.migration.secureDestination({ credentials: before, sourceName: "a" });
      const earlierPort = await earlier.migration.listen("127.0.0.1", ports);
      await source.migration.configureSource({
        ...{ credentials: credentials.a, destinationName: nameOf(2) },
        settings: sourceSettings(1, 2_000_000),
      });
      const mistaken = source.qmp.nextEvent(
        (e) => e.name === "MIGRATION" && e.data.status === "failed",
        60_000,
      );
      await source.migration.start("127.0.0.1", earlierPort);
      await mistaken;
      expect((await source.migration.query()).error).toMatch(/does not match the hostname/);
      expect(await source.status()).toMatchObject({ running: true });
      await earlier.end();

      const second = await (await fixture.hypervisor("b")).start(fixture.spec(true));
      await second.migration.configure(destinationSettings);
      await second.migration.secureDestination({ credentials: credentials.b, sourceName: "a" });
      const secondPort = await second.migration.listen("127.0.0.1", ports);
      await source.migration.configureSource({
        credentials: credentials.a,
        destinationName: nameOf(2),
        settings: sourceSettings(1, 2_000_000),
      });
      const active = source.qmp.nextEvent(
        (e) => e.name === "MIGRATION" && e.data.status === "active",
        60_000,
      );
      await source.migration.start("127.0.0.1", secondPort);
      await active;
      await source.pause();
      await source.resume(); // a back-out
      expect(await source.status()).toMatchObject({ running: true });
      const ready = source.qmp.nextEvent(
        (e) => e.name === "MIGRATION" && e.data.status === "pre-switchover",
        60_000,
      );
      const completed = source.qmp.nextEvent(
        (e) => e.name === "MIGRATION" && e.data.status === "completed",
        60_000,
      );
      await source.qmp.execute("migrate-set-parameters", { "max-bandwidth": 1_000_000_000 });
      await source.pause();
      await ready;
      expect(await second.status()).toMatchObject({ running: false });
      await source.migration.continueSwitchover();
      await completed;
      await second.resume();
      expect(await second.status()).toMatchObject({ running: true });
      // Its copies of the credentials were there only while it read them.
      for (const { paths } of [source, second]) expect(existsSync(paths.credentials)).toBe(false);
      expect(await source.status()).toMatchObject({ running: false, status: "postmigrate" });
      expect((await source.migration.query()).status).toBe("completed");
      await second.end();
    } finally {
      await source.end();
      await target.end();
    }
  });
});

/** Until its end it holds its sockets. */
function isRunningNow(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${String(pid)}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Real, effective, saved and file-system uid, as the kernel has them. */
function uidsOf(pid: number): number[] {
  const line = /^Uid:\s+(.*)$/m.exec(readFileSync(`/proc/${String(pid)}/status`, "utf8"))?.[1] ?? "";
  return line.split(/\s+/).map(Number);
}
