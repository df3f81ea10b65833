/** What a VM is, as its host has it, is kept: also where what was done has failed, and `vm.json` tells what is left of it. */
import { GodwitError, type TaskKind } from "@godwit/contract";
import type { TaskContext } from "./task-context.ts";

interface Where {
  vm: { name: string };
  host: string;
  /** Where the VM's folder lies. */
  home: string;
}

/** A host that is silent tells it when it is back. */
const giveUpMs = 10_000;

/** Runs one step on a VM's host, and reads the VM when it has failed. @throws what `act` throws */
export async function keepingDescription<K extends TaskKind, T>(
  context: TaskContext<K>,
  where: Where,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!GodwitError.is(error) || context.stopped.aborted) throw error;
    await keepDescription(context, where);
    throw error;
  }
}

/** What the VM is by now, as its host has it. A host that is silent tells it later. */
export async function keepDescription<K extends TaskKind>(
  context: TaskContext<K>,
  { vm, host, home }: Where,
): Promise<void> {
  const params = { datastore: home, name: vm.name };
  const now = await context
    .ask(host, (link) => link.agent.call("vmRead", { params }), {
      silentMs: giveUpMs,
      givenUp: () => GodwitError.of("VM_UNKNOWN", { vm: vm.name }),
    })
    .catch((unread: unknown) => {
      context.log.warn({ err: unread }, "what the VM is now could not be read");
      return null;
    });
  if (now !== null) await context.persist(() => context.store.vms.saveConfig(now));
}
