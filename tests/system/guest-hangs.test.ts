/** Guests that hang, in a pool that resets them: one is reset and keeps what it had written; those that work, or that a rule spares, are not. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

test("a guest whose kernel hangs is reset by its pool, once; one that a rule spares and one that idles are left alone", async () => {
  await using lab = await TestLab.start({ hosts: ["a"] });
  const { api } = lab;
  const params = { pool: "east" };
  await api.call("poolCreate", { body: { name: "east", hosts: ["a"] } });
  for (const name of ["web-1", "spared-1", "idle-1"]) await lab.boot({ name, on: "a", memoryMib: 160 });
  await api.call("poolRuleAdd", {
    params,
    body: { name: "by-hand", terms: { kind: "guestReset", enabled: false }, vms: ["spared-1"] },
  });
  // On a busy machine a guest that works may be silent for a while.
  const policy = { silenceSeconds: 20, graceSeconds: 10, mostResets: 3 };
  await api.call("poolGuestResetSet", { params, body: { policy } });
  const load = await lab.load();
  const { id } = await lab.vm("web-1");
  const started = async () => {
    const log = join(lab.lab.host("a").folder, "run/godwit/vms", id, "serial.log");
    return (await readFile(log, "latin1")).split("godwit-guest ready").length - 1;
  };
  const runtimes = async () => (await api.call("hostShow", { params: { host: "a" } })).load?.vms ?? [];
  // Its guest agent has answered.
  const isWatched = async () =>
    (await runtimes()).some((vm) => vm.name === "web-1" && vm.guestSilentSince === null);
  expect(await until(isWatched, { everyMs: 500, limitMs: 60_000 })).not.toBeNull();

  // Its kernel stops for good, with interrupts off; its machine does not.
  await type(lab, "web-1", "halt -f -n");
  await type(lab, "spared-1", "kill -STOP $(pidof qemu-ga)");
  const tasks = async () => (await api.call("taskList", {})).tasks.filter(({ kind }) => kind === "vm.reset");
  const isReset = async () => (await tasks()).some(({ state }) => state === "succeeded");
  expect(await until(isReset, { everyMs: 500, limitMs: 240_000 })).not.toBeNull();
  expect(await until(async () => (await started()) === 2, { everyMs: 200, limitMs: 200_000 })).not.toBeNull();
  load.reconnect();
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0 });
  expect((await tasks()).map(({ actor, subject }) => [actor, subject.name])).toEqual([["guests", "web-1"]]);
  expect(await lab.runnersOf({ id })).toEqual(["a"]);
  const spared = (await runtimes()).find(({ name }) => name === "spared-1");
  expect(spared?.guestSilentSince).toBeUndefined();
  // An operator resets it. An agent that starts again knows of it: asked for the same once more, it would not do it again.
  const byHand = await lab.succeeded(api.call("vmReset", { params: { vm: "spared-1" } }));
  const { id: sparedId } = await lab.vm("spared-1");
  const runtime = join(lab.lab.host("a").folder, "run/godwit/vms", sparedId, "runtime.json");
  expect(JSON.parse(await readFile(runtime, "utf8"))).toMatchObject({ spec: { lastReset: byHand.id } });
});

/** Types a line into the shell on the guest's serial console. */
async function type(lab: TestLab, vm: string, line: string): Promise<void> {
  const console = await lab.api.open("vmConsole", { params: { vm }, query: {} });
  try {
    await new Promise((resolve, reject) => {
      console.once("message", resolve);
      console.once("close", reject);
      console.resume();
    });
    console.send(Buffer.from(`${line}\n`), { binary: true });
    // The line has arrived when the guest echoes it.
    await new Promise((resolve) => {
      let heard = "";
      console.on("message", (data) => {
        heard += (data as Buffer).toString("latin1");
        if (heard.includes(line.slice(0, 8))) resolve(undefined);
      });
    });
  } finally {
    console.terminate();
  }
}
