/**
 * A VM's description is changed by who may run the VM, and by nobody else; and whatever an agent is killed in the middle of,
 * asking again ends with the description, QEMU and what is noted of it telling the same.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GodwitError, vmSchema, type Vm } from "@godwit/contract";
import { Datastore, markDatastore, readVm, saveVm } from "@godwit/storage";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { LeaseAnswer } from "../src/leases/leases.ts";
import { Claims } from "../src/vms/claims.ts";
import { configureVm, type Configuration } from "../src/vms/configure-vm.ts";

const medium = (path: string) => ({ datastore: "shared", path });
const vm: Vm = vmSchema.parse({
  ...{ version: 2, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2", disks: [], nics: [] },
  cdroms: [{ name: "cd0", medium: medium("a.iso"), connected: true }],
});
const granted: LeaseAnswer = {
  kind: "granted",
  lease: { vmId: vm.id, version: 1, holders: [], fenced: [] },
};
const heldBy = (host: string, freeInMs: number | null = null): LeaseAnswer => ({
  ...{ kind: "refused", held: true },
  error: GodwitError.of("LEASE_HELD", {
    vm: vm.name,
    holders: [{ host, mode: "EX", since: null, freeInMs }],
  }),
});

let folder: string;
let datastore: Datastore;
/** What was asked of the leases, in order. */
let asked: string[];
/** QEMU and what is noted beside it: both outlive an agent. */
let qemu: { medium: string | null; noted: Vm };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-configure-"));
  const config = { name: "shared", path: folder, shared: true };
  await markDatastore(config, "a");
  datastore = await Datastore.open(config, "a");
  await mkdir(join(folder, vm.name));
  await saveVm(datastore, vm);
  asked = [];
  qemu = { medium: "a.iso", noted: vm };
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

class Killed extends Error {}

interface Agent {
  runs: boolean;
  lease?: LeaseAnswer;
  /** After so many effects it is killed. */
  effects?: number;
}

/** One agent's life: a process that it finds, a datastore, leases. */
async function configure(
  changes: Configuration["changes"],
  { runs, lease = granted, effects = Number.POSITIVE_INFINITY }: Agent,
): Promise<Vm> {
  let left = effects;
  const effect = (act: () => void) => {
    if (left-- <= 0) throw new Killed();
    act();
  };
  // What is read or written of the description begins with this.
  const seen = Object.assign(Object.create(datastore) as Datastore, {
    resolve: (path: string) => {
      effect(() => undefined);
      return datastore.resolve(path);
    },
  });
  const process = {
    user: { uid: 1, gid: 1 },
    disconnectMedium: async () => {
      effect(() => (qemu.medium = null));
    },
    connectMedium: async (_drive: string, path: string) => {
      effect(() => {
        // QEMU refuses a second medium.
        if (qemu.medium !== null) throw new Error("there is a medium");
        qemu.medium = path;
      });
    },
    updateVm: async (noted: Vm) => {
      effect(() => (qemu.noted = noted));
    },
  };
  const parts = {
    config: { name: "a" },
    claims: new Claims(),
    environment: {
      datastore: async () => seen,
      mediumPaths: async ({ cdroms = [] }: Vm) =>
        Object.fromEntries(
          cdroms.flatMap(({ name, medium: one, connected }) =>
            connected && one !== null ? [[name, one.path]] : [],
          ),
        ),
    },
    processes: { of: () => (runs ? process : undefined) },
    leases: {
      acquire: async (_vm: Vm, mode: string) => {
        asked.push(`acquire ${mode}`);
        return lease;
      },
      releaseUnlessShared: async () => {
        asked.push("release");
        return null;
      },
    },
  };
  return await configureVm(parts as unknown as Parameters<typeof configureVm>[0], {
    ...{ id: vm.id, datastore: "shared", name: vm.name, changes },
  });
}

const written = async () => await readVm(datastore, vm.name);

test("the description of a VM that does not run is changed under its exclusive lease, which is given back", async () => {
  const changed = await configure({ cdrom: { name: "cd0", connected: false } }, { runs: false });
  expect(changed.cdroms).toMatchObject([{ connected: false }]);
  expect(await written()).toEqual(changed);
  expect(asked).toEqual(["acquire EX", "release"]);
});

test("a host that no longer runs the VM changes nothing, and names the host that may run it", async () => {
  const asking = configure({ cpuAffinity: null }, { runs: false, lease: heldBy("b") });
  await expect(asking).rejects.toMatchObject({
    code: "VM_HELD_ELSEWHERE",
    message:
      "VM web-1 was not changed: it does not run on host a, and host b holds its lease and may run it.",
  });
  expect(await written()).toEqual(vm);
  expect(asked).toEqual(["acquire EX"]);
});

test("of a holder that does not respond, and of leases that cannot be asked, the lease's own error tells", async () => {
  const silent = configure({ cpuAffinity: null }, { runs: false, lease: heldBy("b", 60_000) });
  await expect(silent).rejects.toMatchObject({ code: "LEASE_HELD" });
  const error = GodwitError.of("LEASE_UNAVAILABLE", { vm: vm.name, reason: "sanlock does not answer" });
  const unknown = configure(
    { cpuAffinity: null },
    { runs: false, lease: { kind: "refused", held: false, error } },
  );
  await expect(unknown).rejects.toMatchObject({ code: "LEASE_UNAVAILABLE" });
  expect(await written()).toEqual(vm);
});

test("the lease is given back when the change fails", async () => {
  const unknownDrive = configure({ cdrom: { name: "cd7", connected: false } }, { runs: false });
  await expect(unknownDrive).rejects.toMatchObject({ code: "CDROM_UNKNOWN" });
  expect(asked).toEqual(["acquire EX", "release"]);
});

test("memory and vCPUs change while the VM is stopped, and not while it runs", async () => {
  const bigger = { memoryMib: 128, vcpus: 2 };
  await expect(configure(bigger, { runs: true })).rejects.toMatchObject({ code: "VM_RUNNING" });
  expect(await written()).toEqual(vm);
  await configure(bigger, { runs: false });
  expect(await written()).toEqual({ ...vm, ...bigger });
});

test("the lease of a VM that runs here is its QEMU's: nobody asks for it", async () => {
  await configure({ cdrom: { name: "cd0", connected: false } }, { runs: true });
  expect(asked).toEqual([]);
  expect(qemu.medium).toBeNull();
});

const changes = {
  "another medium": { name: "cd0", medium: medium("b.iso"), connected: true },
  "the same medium": { name: "cd0", connected: true },
  "no medium": { name: "cd0", connected: false },
};

test.each(Object.entries(changes))(
  "killed anywhere while a drive gets %s, it ends right when asked again",
  async (_name, cdrom) => {
    const wanted = cdrom.connected
      ? ((cdrom as { medium?: { path: string } }).medium?.path ?? "a.iso")
      : null;
    let kills = 0;
    for (let effects = 0; ; effects++) {
      await saveVm(datastore, vm);
      qemu = { medium: "a.iso", noted: vm };
      const outcome = await configure({ cdrom }, { runs: true, effects }).catch((error: unknown) => error);
      if (!(outcome instanceof Killed)) break;
      kills++;
      // In between no description promises a medium other than the one that is in the drive, or none is.
      const [drive] = (await written()).cdroms ?? [];
      if (drive?.connected === true && qemu.medium !== null) expect(drive.medium?.path).toBe(qemu.medium);
      await configure({ cdrom }, { runs: true });
      const after = await written();
      expect({ effects, medium: qemu.medium, noted: qemu.noted }).toEqual({
        effects,
        medium: wanted,
        noted: after,
      });
      expect(after.cdroms).toMatchObject([
        { connected: cdrom.connected, medium: { path: wanted ?? "a.iso" } },
      ]);
    }
    expect(kills).toBeGreaterThanOrEqual(8);
  },
);
