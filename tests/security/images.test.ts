/**
 * Attack: an image whose backing file is the agent's own key, put where a VM's disk is; by somebody who can write to the
 * shared storage, after the VM was made. QEMU would show the key to the guest as its disk. Then a broken `vm.json`.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TestLab } from "@godwit/test-kit";
import { run } from "@godwit/system";
import { expect, test } from "vitest";

test("an image that refers to the agent's key is opened neither at creation, nor at a start, nor at a move's destination", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const key = "/var/lib/godwit/agent/pki/host-key.pem";
  const vm = await lab.boot({ on: "a" });
  const [disk] = vm.config.disks;
  const image = join(lab.lab.sharedFolder, disk?.path ?? "");
  const refer = async (path: string) => {
    await run("qemu-img", ["create", "-q", "-u", "-f", "qcow2", "-b", key, "-F", "raw", path, "64M"], {
      what: "making the image",
    });
  };
  const refused = { code: "IMAGE_REFERS_ELSEWHERE", detail: expect.stringContaining(key) as string };

  const evil = {
    name: "evil",
    datastore: "shared",
    memoryMib: 64,
    disks: [{ name: "root", image: "evil.qcow2" }],
  };
  await refer(join(lab.lab.sharedFolder, "evil.qcow2"));
  const created = await lab.ended(lab.api.call("vmCreate", { body: { description: evil, host: "a" } }));
  expect(created.error).toMatchObject(refused);

  // The header of a running VM's image is overwritten: only the destination opens it again.
  await refer(join(lab.lab.sharedFolder, "header.qcow2"));
  const overwrite = async (from: string) => {
    await run("dd", [`if=${from}`, `of=${image}`, "bs=65536", "count=1", "conv=notrunc"], {
      what: "overwriting",
    });
  };
  await overwrite(join(lab.lab.sharedFolder, "header.qcow2"));
  const moved = await lab.ended(lab.api.call("vmMigrate", { params: { vm: vm.name }, body: { to: "b" } }));
  expect(moved.error).toMatchObject(refused);
  expect(await lab.runnersOf(vm)).toEqual(["a"]);

  await lab.succeeded(lab.api.call("vmStop", { params: { vm: vm.name }, body: { graceSeconds: 0 } }));
  const started = await lab.ended(lab.api.call("vmStart", { params: { vm: vm.name }, body: {} }));
  expect(started.error).toMatchObject(refused);
  expect(await lab.runnersOf(vm)).toEqual([]);

  // And so with the description: the host of the VM tells that it is broken, until it is repaired from what the server knows.
  const description = join(lab.lab.sharedFolder, vm.name, "vm.json");
  await writeFile(description, '{"version":1,"name":"bank-1"}');
  await lab.lab.server.end(); // it looks at once when it is connected, and now and then
  await lab.lab.server.start();
  const alarms = async (host: string) =>
    (await lab.api.call("hostShow", { params: { host } })).alarms
      .filter(({ code }) => code === "VM_FILE_BROKEN")
      .map(({ message }) => message);
  await expect
    .poll(() => alarms("a"), { timeout: 60_000 })
    .toEqual([expect.stringContaining(`${vm.name}/vm.json on host a, is broken: `)]);
  expect(await alarms("b")).toEqual([]);
  const { config } = await lab.api.call("vmShow", { params: { vm: vm.name } });
  await writeFile(description, JSON.stringify(config));
  await expect.poll(() => alarms("a"), { timeout: 60_000 }).toEqual([]);
});
