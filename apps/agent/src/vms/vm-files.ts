/**
 * Whether VMs' `vm.json` are what they should be: others can write to the storage. Each datastore is looked at by itself and
 * for a limited time; one that hangs is not asked again until it has answered, and nothing is said of its files.
 */
import { GodwitError, type VmFileLook, type VmFilesQuestion } from "@godwit/contract";
import { readVmFile, type Datastore } from "@godwit/storage";
import { within } from "@godwit/system";
import { reasonOf } from "../reason.ts";

const answerLimitMs = 5000;
const longestText = 4096;

type Asked = VmFilesQuestion["vms"][number];

export class VmFiles {
  readonly #datastore: (name: string) => Promise<Datastore>;
  /** Under way, by datastore. */
  readonly #looks = new Map<string, Promise<void>>();

  constructor(datastore: (name: string) => Promise<Datastore>) {
    this.#datastore = datastore;
  }

  async look(asked: readonly Asked[]): Promise<VmFileLook[]> {
    const found = new Map<Asked, VmFileLook>();
    const byDatastore = Map.groupBy(asked, ({ datastore }) => datastore);
    await Promise.all([...byDatastore].map(([name, vms]) => this.#lookIn(name, vms, found)));
    return asked.map((vm) => found.get(vm) ?? { id: vm.id, state: "unread" });
  }

  async #lookIn(name: string, vms: readonly Asked[], found: Map<Asked, VmFileLook>): Promise<void> {
    if (this.#looks.has(name)) return;
    const look = this.#readAll(name, vms, found).finally(() => {
      this.#looks.delete(name);
    });
    this.#looks.set(name, look);
    await within(look, answerLimitMs);
  }

  /** One after the other: a file that hangs holds one thread of this process. */
  async #readAll(name: string, vms: readonly Asked[], found: Map<Asked, VmFileLook>): Promise<void> {
    const datastore = await this.#datastore(name).catch(() => null);
    if (datastore === null) return;
    for (const vm of vms) found.set(vm, await lookAt(datastore, vm));
  }
}

async function lookAt(datastore: Datastore, { id, name }: Asked): Promise<VmFileLook> {
  const broken = (path: string, reason: string): VmFileLook => ({
    ...{ id, state: "broken", path: path.slice(0, longestText), reason: reason.slice(0, longestText) },
  });
  const path = `${datastore.resolve(name)}/vm.json`;
  try {
    const vm = await readVmFile(datastore, name);
    if (vm === null) return broken(path, "there is no such file");
    return vm.id === id ? { id, state: "valid" } : broken(path, `it is that of another VM, ${vm.id}`);
  } catch (error) {
    if (!GodwitError.is(error, "VM_DESCRIPTION_INVALID")) return { id, state: "unread" };
    const { problems } = error.problem.details;
    return broken(path, Array.isArray(problems) ? problems.join("; ") : reasonOf(error));
  }
}
