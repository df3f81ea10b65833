/**
 * The disk under an agent's journals, or under its run folder, is full: a move is refused before anything of it was done,
 * and a VM is not started, in words that name the place.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

/** A file system without a free byte over a folder of a host. @param name below the host's own folder */
async function fillUp(lab: TestLab, host: string, name: string): Promise<AsyncDisposable> {
  const folder = join(lab.lab.host(host).folder, name);
  await mkdir(folder, { recursive: true });
  await lab.lab.host(host).endAgent();
  await run("mount", ["-t", "tmpfs", "-o", "size=16k", "none", folder], { what: "making a small disk" });
  await writeFile(join(folder, "filler"), Buffer.alloc(16_384));
  await comeBack(lab, host);
  return {
    async [Symbol.asyncDispose]() {
      await lab.lab.host(host).endAgent();
      await run("umount", ["-l", folder], { what: "taking the small disk away" });
      await comeBack(lab, host);
    },
  };
}

/** Starts a host's agent, and waits for the server to have a connection to it. */
async function comeBack(lab: TestLab, host: string): Promise<void> {
  await lab.lab.host(host).startAgent();
  const isUp = async () => (await lab.api.call("hostShow", { params: { host } })).state === "connected";
  expect(await until(isUp, { everyMs: 200, limitMs: 60_000 })).toBe(true);
}

test.for(["a", "b"])(
  "host %s cannot write its journal: the VM stays, and moves when there is room again",
  async (host) => {
    await using lab = await TestLab.start({ hosts: ["a", "b"] });
    const vm = await lab.boot({ on: "a" });
    await using load = await lab.load();
    {
      await using _full = await fillUp(lab, host, "state/agent/moves");
      const refused = await lab.ended(
        lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } }),
      );
      expect(refused).toMatchObject({ state: "failed", error: { code: "SPACE_SHORT" } });
      expect(await lab.runnersOf(vm)).toEqual(["a"]);
    }
    await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } }));
    expect(await lab.runnersOf(vm)).toEqual(["b"]);
    expect(await load.finish([])).toMatchObject({ connections: 1, reconnects: 0, lost: 0, duplicated: 0 });
    expect(await lab.settled(1)).toEqual([]);
  },
);

test("a host without room under /run starts no VM and takes none, and says so; with room it does both", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const vm = await lab.boot({ on: "a" });
  await lab.create({ name: "web-2", on: "b" });
  const start = () => lab.api.call("vmStart", { params: { vm: "web-2" }, body: { host: "b" } });
  const move = () => lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } });
  {
    await using _full = await fillUp(lab, "b", "run/godwit/vms");
    for (const refused of [await lab.ended(start()), await lab.ended(move())])
      expect(refused).toMatchObject({ state: "failed", error: { code: "SPACE_SHORT" } });
    expect(await lab.runnersOf(vm)).toEqual(["a"]);
  }
  await lab.succeeded(start());
  await lab.succeeded(move());
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
});
