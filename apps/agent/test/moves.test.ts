/** What a host concludes from what is left of a move: its record, or its journal after a restart of the agent. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GodwitError, vmSchema, type MoveId, type MoveOrder, type VmId } from "@godwit/contract";
import type { DestinationEntry } from "@godwit/migration";
import { pino } from "pino";
import { expect, test } from "vitest";
import { EventLog } from "../src/event-log.ts";
import type { MoveDependencies } from "../src/moves/dependencies.ts";
import { Journal } from "../src/moves/journal.ts";
import { outcomeOf } from "../src/moves/move-records.ts";
import { Moves } from "../src/moves/moves.ts";
import { Processes } from "../src/qemu/processes.ts";
import { Claims } from "../src/vms/claims.ts";

test("only a record of success says that the guest runs; one that tells no end says nothing", () => {
  const { problem: lost } = GodwitError.of("MOVE_VM_LOST", { vm: "web-1", host: "b", reason: "it ended" });
  const { problem: cancelled } = GodwitError.of("MOVE_CANCELLED", { vm: "web-1", host: "a" });
  expect(outcomeOf({ phase: "succeeded", error: null })).toEqual({ kind: "runs" });
  expect(outcomeOf({ phase: "failed", error: null })).toBeNull();
  expect(outcomeOf({ phase: "committed", error: null })).toBeNull();
  expect(outcomeOf({ phase: "failed", error: lost })).toEqual({ kind: "died", problem: lost });
  expect(outcomeOf({ phase: "failed", error: cancelled })).toEqual({ kind: "gaveUp", problem: cancelled });
});

const id = "11111111-1111-4111-8111-111111111111" as MoveId;
const vm = vmSchema.parse({
  ...{ version: 1, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2", disks: [], nics: [] },
});
const order = { id, vm, from: "a", to: { host: "b" } } as MoveOrder;

/** Moves write what they keep of themselves until they are over, which these never are. */
const removeFolder = (folder: string) => rm(folder, { recursive: true, maxRetries: 20, retryDelay: 20 });

/** The destination's agent was killed when it was prepared, and its QEMU is gone when the agent comes back. */
async function restarted(stateFolder: string, claims: Claims, isSetAside: (vmId: VmId) => boolean) {
  const journal = await Journal.open<DestinationEntry>(join(stateFolder, "moves"), id, "destination");
  await journal.append({ at: "started", order });
  await journal.append({ at: "prepared" });
  await journal.close();
  const processes = new Processes(
    new EventLog(),
    () => undefined,
    () => undefined,
  );
  const dependencies = {
    ...{ config: { name: "b", stateFolder }, hello: {}, log: pino({ level: "silent" }), pauses: null },
    ...{ claims, processes, environment: { release: () => Promise.resolve() } },
    leases: { upgrade: () => Promise.reject(new Error("nobody answers")) },
  };
  const moves = new Moves(dependencies as unknown as MoveDependencies);
  await moves.restore(isSetAside);
  return moves;
}

test("of two moves of a VM that wait for its QEMU, the one that goes on has the VM's claim, whichever is older", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gw-moves-"));
  await using _folder = { [Symbol.asyncDispose]: () => removeFolder(folder) };
  const older = "00000000-0000-4000-8000-000000000000" as MoveId;
  const { problem } = GodwitError.of("MOVE_CANCELLED", { vm: vm.name, host: "a" });
  const journal = await Journal.open<DestinationEntry>(join(folder, "moves"), older, "destination");
  await journal.append({ at: "started", order: { ...order, id: older } });
  await journal.append({ at: "ended", outcome: { kind: "gaveUp", problem } });
  await journal.close();
  const claims = new Claims();
  const moves = await restarted(folder, claims, () => true);
  const taking = moves.takeUp(vm);
  await Promise.resolve();
  expect(claims.isHeld(vm.id)).toBe(true);
  await taking;
  expect(moves.isUnanswerable(vm.id)).toBe(false);
  expect(moves.show(id)).toMatchObject({ id, to: "b" });
});

test("a move is taken up again where what its QEMU left is just cleared, and not where that QEMU may live", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gw-moves-"));
  await using _folder = { [Symbol.asyncDispose]: () => removeFolder(folder) };
  const claims = new Claims();
  const clearing = claims.tryShort(vm.id, "what its QEMU left is cleared");
  setTimeout(() => clearing?.[Symbol.dispose](), 50);
  const moves = await restarted(join(folder, "cleared"), claims, () => false);
  expect(moves.isUnanswerable(vm.id)).toBe(false);
  expect(moves.show(id)).toMatchObject({ id, to: "b" });

  const aside = await restarted(join(folder, "aside"), new Claims(), () => true);
  expect(aside.isUnanswerable(vm.id)).toBe(true);
  expect(() => aside.show(id)).toThrow(expect.objectContaining({ code: "MOVE_UNKNOWN" }));
  await aside.takeUp(vm);
  expect(aside.isUnanswerable(vm.id)).toBe(false);
  expect(aside.show(id)).toMatchObject({ id, to: "b" });
});
