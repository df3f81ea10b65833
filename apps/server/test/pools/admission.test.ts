/** Admission control counts what it has admitted before, from its task on. Its plans are real, the server's records stand in. */
import { GodwitError, type Task, type TaskId, type VmId, type VmView } from "@godwit/contract";
import { admitStart } from "@godwit/placement";
import { expect, test } from "vitest";
import { hostReport, vmView } from "../../../../packages/placement/test/hosts.ts";
import { Admission, type AdmissionServices } from "../../src/pools/admission.ts";

/** A pool of two hosts with room for either VM to get 400 MiB more, and not for both. */
class SmallPool {
  vms: VmView[] = [vmView(1, 600), { ...vmView(2, 600), host: "b" }];
  tasks: Task[] = [];
  readonly #admission: Admission;

  constructor() {
    const row = { name: "east", hosts: ["a", "b"], admission: true, health: {}, restartSince: null };
    const hosts = row.hosts.map((name) => ({
      ...{ name, maintenance: "off", unreachableReason: null, baseline: null },
      ...hostReport(name, { availableMib: 2048 }),
    }));
    const store = {
      pools: { ofHost: () => Promise.resolve(row) },
      hosts: { list: () => Promise.resolve(hosts) },
      vms: { list: () => Promise.resolve(this.vms) },
      tasks: { unfinished: () => Promise.resolve([...this.tasks]), arriving: () => Promise.resolve([]) },
      poolRules: { list: () => Promise.resolve([]) },
      poolPolicies: { short: () => Promise.resolve() },
      loads: { of: () => Promise.resolve([]) },
    };
    const planner = {
      admit: (_: string, question: Parameters<typeof admitStart>[0]) => Promise.resolve(admitStart(question)),
    };
    this.#admission = new Admission({
      ...{ store, planner },
      hosts: { isUp: () => true },
    } as unknown as AdmissionServices);
  }

  /** @returns the host, or the code of why it does not get it */
  async grow(id: VmId, memoryMib: number): Promise<string> {
    const vm = this.vm(id);
    const larger = { ...vm, config: { ...vm.config, memoryMib } };
    const begin = (host: string) => {
      this.tasks.push({
        ...{ id: `task-${vm.name}` as TaskId, kind: "vm.configure", state: "running" },
        subject: { kind: "vm", id, name: vm.name },
        request: { vm: { id, name: vm.name }, host, datastore: "shared", changes: { memoryMib } },
      } as unknown as Task);
      return Promise.resolve(host);
    };
    return await this.#admission.begin(larger, { host: vm.host }, begin).catch((error: unknown) => {
      if (!GodwitError.is(error)) throw error;
      return error.code;
    });
  }

  vm(id: VmId): VmView {
    const vm = this.vms.find((one) => one.id === id);
    if (vm === undefined) throw new Error(`no VM ${id}`);
    return vm;
  }

  /** The tasks have ended. @param changed whether they did what they were to do */
  ended(changed: boolean): void {
    if (changed)
      this.vms = this.vms.map((vm) => {
        const task = this.tasks.find(({ subject }) => subject.id === vm.id);
        const memoryMib = task?.kind === "vm.configure" ? task.request.changes?.memoryMib : undefined;
        return memoryMib === undefined ? vm : { ...vm, config: { ...vm.config, memoryMib } };
      });
    this.tasks = [];
  }
}
const [first, second] = [vmView(1, 600).id, vmView(2, 600).id];

test("of two VMs that are to get memory at once one is admitted where there is room for one", async () => {
  const pool = new SmallPool();
  const answers = await Promise.all([pool.grow(first, 1000), pool.grow(second, 1000)]);
  expect(answers).toEqual(["a", "POOL_ADMISSION_REFUSED"]);
  expect(pool.tasks.map(({ subject }) => subject.id)).toEqual([first]);
  // Also later, while the task of the first is under way, and when it has done it.
  expect(await pool.grow(second, 1000)).toBe("POOL_ADMISSION_REFUSED");
  pool.ended(true);
  expect(await pool.grow(second, 1000)).toBe("POOL_ADMISSION_REFUSED");
});

test("what a task could not add counts no more when it has ended", async () => {
  const pool = new SmallPool();
  expect(await pool.grow(first, 1000)).toBe("a");
  pool.ended(false);
  expect(await pool.grow(second, 1000)).toBe("b");
});

test("two that both fit are both admitted", async () => {
  const pool = new SmallPool();
  expect(await Promise.all([pool.grow(first, 700), pool.grow(second, 700)])).toEqual(["a", "b"]);
});
