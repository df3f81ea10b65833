/**
 * A guest that boots by UEFI, on two sockets: it moves, boots again at the other host by the same variables, and takes them with it when it is
 * cloned and deleted. It goes neither to a host without its firmware nor with its disks to a datastore of one host. With Secure Boot the kernel
 * says that it is on.
 */
import { globSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { buildGuest, placeGuest, qemuProcessesOf } from "@godwit/lab";
import { run, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"], localDatastore: true });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const params = { vm: "efi-1" };

async function create(name: string, index: number, secureBoot: boolean): Promise<void> {
  const image = await buildGuest(() => undefined);
  const { boot, ...guest } = await placeGuest(lab.lab.sharedFolder, image, { name, index, memoryMib: 256 });
  const description = {
    ...guest,
    ...{ firmware: "uefi" as const, secureBoot },
    ...(secureBoot ? {} : { vcpus: 2, topology: { sockets: 2, cores: 1, threads: 1 } }),
    boot: { kernel: "", ...boot, commandLine: (boot?.commandLine ?? "").replace("quiet ", "") },
  };
  await lab.succeeded(lab.api.call("vmCreate", { body: { description, host: "a" } }));
  await lab.succeeded(lab.api.call("vmStart", { params: { vm: name }, body: {} }));
}

/** Waits until a VM's console on a host has a text; a guest tells nobody else. */
async function says(host: string, vm: string, text: string | RegExp): Promise<true | null> {
  const { id } = await lab.vm(vm);
  return await until(
    async () => {
      const files = globSync(`hosts/${host}/run/**/${id}/serial.log`, { cwd: lab.lab.folder });
      const texts = await Promise.all(files.map((file) => readFile(join(lab.lab.folder, file), "latin1")));
      return texts.some((said) => said.search(text) >= 0) ? true : null;
    },
    { everyMs: 500, limitMs: 120_000 },
  );
}

/** The guest's own agent answers from where it runs. */
const answers = async () =>
  await until(
    async () => {
      const { host, addresses } = await lab.api.call("vmAddresses", { params });
      return addresses.some(({ source }) => source === "guestAgent") ? host : null;
    },
    { everyMs: 500, limitMs: 120_000 }, // a guest tells nobody that its agent has started
  );

/** Codes of what forbids the move to b. */
const refusals = async (datastore?: string) =>
  (await lab.api.call("vmCheck", { params, body: { to: "b", datastore } })).findings
    .filter(({ severity }) => severity === "error")
    .map(({ code }) => code)
    .sort();

test("the kernel says that it was booted by UEFI, and the guest moves", async () => {
  await create("efi-1", 0, false);
  expect(await says("a", "efi-1", "EDK II")).toBe(true);
  expect(await answers()).toBe("a");
  // Without a topology there would be one.
  expect(await says("a", "efi-1", /Max\.? logical packages:\s+2\b/)).toBe(true);
  const agent = lab.lab.host("b").agent?.pid ?? 0;
  const onB = async (...words: string[]) =>
    await run("nsenter", ["-t", String(agent), "-m", "--", ...words], { what: "hiding OVMF from a host" });
  await onB("mount", "-t", "tmpfs", "none", "/usr/share/OVMF");
  const firmware = "UEFI_FIRMWARE_MISSING";
  const ofDisks = ["MOVE_DATASTORE_SHARED", "MOVE_FIRMWARE_STAYS"];
  await expect.poll(() => refusals("local"), { timeout: 60_000 }).toEqual([...ofDisks, firmware]);
  await onB("umount", "/usr/share/OVMF");
  await expect.poll(() => refusals(), { timeout: 60_000 }).toEqual([]);
  await lab.succeeded(lab.api.call("vmMigrate", { params, body: { to: "b", maxOutageMs: 2000 } }));
  expect(await lab.runnersOf(await lab.vm("efi-1"))).toEqual(["b"]);
  expect(await answers()).toBe("b");
  const wrong = lab.api.call("vmSet", { params, body: { vcpus: 4 } });
  await expect(wrong).rejects.toMatchObject({
    code: "VM_DESCRIPTION_INVALID",
    message: expect.stringContaining("topology: 2 sockets × 1 core × 1 thread are 2 vCPUs") as string,
  });
  const { uid, mode } = await stat(join(lab.lab.sharedFolder, "efi-1/nvram.fd"));
  const qemu = (await qemuProcessesOf(lab.lab)).find(({ host }) => host === "b");
  const status = await readFile(`/proc/${String(qemu?.pid)}/status`, "utf8");
  expect({ uid: String(uid), mode: mode & 0o7777 }).toEqual({
    uid: /^Uid:\s+(\d+)/m.exec(status)?.[1],
    mode: 0o600,
  });
});

test("it boots again where it is, and a clone has variables of its own", async () => {
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  const nvram = async (vm: string) => await readFile(join(lab.lab.sharedFolder, vm, "nvram.fd"));
  await lab.succeeded(lab.api.call("vmClone", { params, body: { name: "efi-2" } }));
  expect((await nvram("efi-2")).equals(await nvram("efi-1"))).toBe(true);
  // Written by the guest's firmware: no longer as the template is.
  expect((await nvram("efi-1")).equals(await readFile("/usr/share/OVMF/OVMF_VARS_4M.fd"))).toBe(false);
  await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
  expect(await says("b", "efi-1", "EDK II")).toBe(true);
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  for (const vm of ["efi-1", "efi-2"])
    await lab.succeeded(lab.api.call("vmDelete", { params: { vm }, query: { disks: "all" } }));
  const left = await readdir(lab.lab.sharedFolder);
  expect(left.filter((name) => name.startsWith("efi"))).toEqual([]);
});

test("with Secure Boot the kernel finds it switched on, and locks itself down", async () => {
  await create("secure-1", 1, true);
  expect(await says("a", "secure-1", /secureboot: Secure boot enabled/)).toBe(true);
});
