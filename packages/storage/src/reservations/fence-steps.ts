/**
 * The order in which a host is fenced for one VM, so that another may run it: by the persistent reservations of LUNs, and by fence programs, with which
 * the server has storage take the host's access away. Read it with what whoever starts a VM does: it takes the VM's lease, looks that the lease
 * still counts now that it has it, activates the VM's volumes, looks again, and only then opens them. While volumes are active a host does not register again. What a program has
 * taken away a host gets back when it has booted since: nothing that had begun before goes on then.
 *
 * - A start that found the lease free and not revoked looks once more when it has it: by then the lease may have a successor.
 * - A start that looked before the lease was revoked had its volumes active by then: the keys that are taken afterwards are all that it has.
 * - A start that looks later sees that its lease is revoked, whichever key it has registered meanwhile.
 *
 * So nobody writes under the old lease when its successor is made, wherever anyone stands still or is killed. What is left half done: the lease stays
 * revoked. Who has the VM running ends it, and its successor is made by whoever gets it from then on. A property test runs this table.
 */

/**
 * `prove`: that the host alone holds the lease and is silent, and that its keys can be taken. `revoke`: the lease gives no right to start any more.
 * `proveAgain`: nobody else has got the lease before it was revoked. `takeAccess`: the host's keys of all LUNs of the VM's disks, and looks that they are gone; of other
 * storage the programs have taken its access by then.
 * `wait`: its agent may end its VMs by itself. `succeed`: another lease counts from now on.
 */
export const fenceSteps = ["prove", "revoke", "proveAgain", "takeAccess", "wait", "succeed"] as const;
export type FenceStep = (typeof fenceSteps)[number];

/**
 * Each is done when the one before it has ended. @throws what the first that fails throws; none after it is done
 * @param before those up to this one are done; by then the programs may run, and all is done again after them
 */
export async function fenceInOrder(
  actions: Readonly<Record<FenceStep, () => Promise<void>>>,
  before?: FenceStep,
): Promise<void> {
  for (const step of fenceSteps) {
    if (step === before) return;
    await actions[step]();
  }
}
