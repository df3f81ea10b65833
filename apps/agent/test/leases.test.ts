/** A host's questions for leases: one after the other, and never more of them than can be answered. */
import type { Lease, LeaseMode, VmId } from "@godwit/contract";
import { GodwitError } from "@godwit/contract";
import type { DiskLeases } from "@godwit/storage";
import { pino } from "pino";
import { expect, test } from "vitest";
import { LeaseReconciler } from "../src/lease-reconciler.ts";
import type { Processes } from "../src/qemu/processes.ts";
import type { Claims } from "../src/vms/claims.ts";
import { Leases } from "../src/leases/leases.ts";
import type { RowLeases } from "../src/leases/row-leases.ts";

const vm = { id: "22222222-2222-4222-8222-222222222222" as VmId, name: "web-1", datastore: "shared" };
const lease: Lease = { vmId: vm.id, version: 1, holders: [], fenced: [] };

/** Storage that answers when the test lets it, in order. */
class SlowStorage {
  readonly asked: string[] = [];
  readonly #waiting: (() => void)[] = [];

  async convert(_vm: unknown, mode: LeaseMode): Promise<Lease> {
    await this.#answer(`convert ${mode}`);
    throw GodwitError.of("LEASE_HELD", { vm: vm.name, holders: [] });
  }
  async acquire(): Promise<Lease> {
    await this.#answer("acquire");
    return lease;
  }
  async release(): Promise<void> {
    await this.#answer("release");
  }
  /** Answers the question under way. */
  answer(): void {
    this.#waiting.shift()?.();
  }
  async #answer(question: string): Promise<void> {
    this.asked.push(question);
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}

function leasesOn(storage: SlowStorage): Leases {
  // All datastores are shared storage: nothing is asked of rows.
  return new Leases(null as unknown as RowLeases, storage as unknown as DiskLeases, () => true);
}

test("what is asked again and again while it is not answered is asked once, and a release does not wait for it", async () => {
  const storage = new SlowStorage();
  const leases = leasesOn(storage);
  const conversions = Array.from({ length: 20 }, () => leases.convert(vm, "EX"));
  const release = leases.release(vm);
  await expect.poll(() => storage.asked).toEqual(["convert EX"]);
  storage.answer();
  for (const answer of await Promise.all(conversions))
    expect(answer).toMatchObject({ kind: "refused", held: true });
  await expect.poll(() => storage.asked).toEqual(["convert EX", "release"]);
  storage.answer();
  expect(await release).toMatchObject({ kind: "granted" });
});

test("the same question after another one is a question of its own", async () => {
  const storage = new SlowStorage();
  const leases = leasesOn(storage);
  const answers = [leases.convert(vm, "EX"), leases.convert(vm, "SH"), leases.convert(vm, "EX")];
  for (const asked of [
    ["convert EX"],
    ["convert EX", "convert SH"],
    ["convert EX", "convert SH", "convert EX"],
  ]) {
    await expect.poll(() => storage.asked).toEqual(asked);
    storage.answer();
  }
  await Promise.all(answers);
});

test("of a VM whose datastore this host does not know now nothing is given, taken or ended", async () => {
  const asked: string[] = [];
  const answers = (name: string): unknown =>
    new Proxy<object>(
      {},
      {
        get: (_, of) => () => {
          asked.push(`${name} ${String(of)}`);
          return Promise.resolve([]);
        },
      },
    );
  const leases = new Leases(answers("rows") as RowLeases, answers("disks") as DiskLeases, () => null);
  for (const answer of [
    await leases.acquire(vm, "EX"),
    await leases.convert(vm, "EX"),
    await leases.release(vm),
  ])
    expect(answer).toMatchObject({ kind: "refused", held: false, error: { code: "LEASE_UNAVAILABLE" } });
  expect(await leases.releaseUnlessShared(vm)).toBe("this host does not know datastore shared now");
  expect(asked).toEqual([]);

  // Its list was lost, or cannot be read: the VM runs on, and its lease stays as it is.
  const process = {
    ...{ vmId: vm.id, spec: { vm } },
    kill: () => {
      asked.push("kill");
    },
  };
  const processes = { present: [process], of: () => process, stateOf: () => "running" };
  const claims = { claimed: new Set(), tryShort: () => ({ [Symbol.dispose]: () => undefined }) };
  const reconciler = new LeaseReconciler(
    leases,
    processes as unknown as Processes,
    claims as unknown as Claims,
    pino({ level: "silent" }),
  );
  await reconciler.reconcile();
  expect(asked).toEqual(["disks own", "rows own"]);
});
