/**
 * A VM with a seed: its guest finds host name and user data in it at its first boot, reads it on after a move, from the
 * other host, and after a restart; nobody but its QEMU can read it, and it is gone with the VM.
 */
import { globSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildGuest, placeGuest, qemuProcessesOf, vmAddress } from "@godwit/lab";
import { run, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

const secret = "correct-horse-battery";
/** Reads the medium itself each time, and says what it found. */
const userData = `#!/bin/sh
while :; do
  umount /seed && echo 3 >/proc/sys/vm/drop_caches && mount -t iso9660 -o ro /dev/sr0 /seed &&
    echo "seed of $(hostname): $(grep -c '${secret}' /seed/user-data) $(grep -c 'ssh-ed25519' /seed/meta-data)"
  sleep 0.5
done
`;
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJpVBqZvqk0p3v3rQ4oJx0Z0m2r5mJk3yq9d8J0c9fHk";
const program = [process.execPath, fileURLToPath(new URL("../../apps/cli/src/godwit.js", import.meta.url))];
const found = "seed of web-1.example.org: 1 1";

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"] });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const params = { vm: "web-1" };
const seed = () => join(lab.lab.sharedFolder, "web-1/cloud-init.iso");

/** What the guest has written to its console on a host. */
async function said(host: string): Promise<string> {
  const files = globSync(`hosts/${host}/run/**/serial.log`, { cwd: lab.lab.folder });
  const texts = files.map((file) => readFile(join(lab.lab.folder, file), "latin1"));
  return (await Promise.all(texts)).find((text) => text.includes(found)) ?? "";
}

/** The guest reads its seed on this host from now on. */
async function readsSeed(host: string): Promise<true | null> {
  const before = (await said(host)).length;
  // A guest tells nobody but its console.
  return await until(async () => ((await said(host)).slice(before).includes(found) ? true : null), {
    everyMs: 200,
    limitMs: 120_000,
  });
}

test("the guest finds its host name, its keys and its user data, and no task has them", async () => {
  await lab.boot({ on: "a", cloudInit: { hostname: "web-1.example.org", sshKeys: [key], userData } });
  expect(await readsSeed("a")).toBe(true);
  const { tasks } = await lab.api.call("taskList", { query: {} });
  expect(JSON.stringify(tasks)).toContain("userDataBytes");
  expect(JSON.stringify([tasks, await lab.vm("web-1")])).not.toContain(secret);
});

test("the guest's address is told by its guest agent", async () => {
  const asked = async () => await lab.api.call("vmAddresses", { params });
  const answer = await until(
    async () => {
      const now = await asked();
      return now.addresses.length > 0 ? now : null;
    },
    { everyMs: 500, limitMs: 60_000 }, // a guest tells nobody that its agent has started
  );
  expect(answer).toMatchObject({
    ...{ vm: "web-1", host: "a", withoutGuestAgent: null },
    addresses: [{ nic: 0, address: vmAddress(0), isLinkLocal: false, source: "guestAgent" }],
  });
});

test("one command creates, starts and waits for the address; --json tells it in one document", async () => {
  const image = await buildGuest(() => undefined);
  const description = await placeGuest(lab.lab.sharedFolder, image, {
    name: "web-2",
    index: 1,
    memoryMib: 192,
  });
  const [file, keys] = [join(lab.lab.folder, "web-2.yaml"), join(lab.lab.folder, "keys.pub")];
  await writeFile(file, JSON.stringify(description));
  await writeFile(keys, `${key} me@desk\n`);
  const words = ["vm", "create", file, "--ssh-key", keys, "--hostname", "web-2", "--start", "--wait"];
  const { stdout } = await run(program[0] ?? "", [...program.slice(1), ...words, "--host", "b", "--json"], {
    ...{ what: "creating a VM", timeoutMs: 240_000 },
    env: { GODWIT_LAB: lab.lab.id },
  });
  expect(JSON.parse(stdout)).toMatchObject({
    created: { state: "succeeded", request: { cloudInit: { hostname: "web-2", sshKeys: 1 } } },
    started: { state: "succeeded" },
    addresses: [{ address: vmAddress(1), source: "guestAgent" }],
  });
  await lab.succeeded(lab.api.call("vmStop", { params: { vm: "web-2" }, body: { graceSeconds: 0 } }));
});

test("only the VM's own user can read the seed", async () => {
  const qemu = (await qemuProcessesOf(lab.lab)).find(({ host }) => host === "a");
  const { uid, mode } = await stat(seed());
  const status = await readFile(`/proc/${String(qemu?.pid)}/status`, "utf8");
  expect({ uid: String(uid), mode: mode & 0o7777 }).toEqual({
    uid: /^Uid:\s+(\d+)/m.exec(status)?.[1],
    mode: 0o600,
  });
});

test("a move carries it along, and a restart at the other host finds it again", async () => {
  const check = await lab.api.call("vmCheck", { params, body: { to: "b" } });
  expect(check).toMatchObject({ allowed: true });
  await lab.succeeded(lab.api.call("vmMigrate", { params, body: { to: "b", maxOutageMs: 2000 } }));
  expect(await lab.runnersOf(await lab.vm("web-1"))).toEqual(["b"]);
  expect(await readsSeed("b")).toBe(true);
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
  expect(await readsSeed("b")).toBe(true);
});

test("the medium can be taken out for good while the guest runs, and the seed is deleted with the VM", async () => {
  await lab.succeeded(
    lab.api.call("vmSet", { params, body: { cdrom: { name: "cloud-init", connected: false } } }),
  );
  await lab.succeeded(lab.api.call("vmMigrate", { params, body: { to: "a", maxOutageMs: 2000 } }));
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  await lab.succeeded(lab.api.call("vmDelete", { params, query: { disks: "all" } }));
  expect(await readdir(lab.lab.sharedFolder)).not.toContain("web-1");
});
