/**
 * One cell: the guest boots on the source, is migrated until the source has completed and the destination has
 * loaded everything, and then, while neither runs, somebody goes on.
 *
 * With the lease the order is Godwit's: the source starts under EX; before the copy it converts to SH and the
 * destination takes SH. The destination goes on under its share, by the source's commit. A source that goes on
 * instead, and a third host, need EX. Without the lease nobody is asked, and only QEMU's image locks are in the way.
 */
import { GodwitError } from "@godwit/contract";
import type { Disk, Place } from "./disks/disk.ts";
import { Guest, type GuestOptions } from "./guest.ts";
import { refusalIn, type Leases } from "./leases.ts";
import { allWrite, hostNames, readMarks, writeDisk, type HostName, type Marks } from "./marks.ts";
import type { Cell, Continuation, Outcome, Stopper } from "./outcome.ts";
import { sleep } from "@godwit/system";

const writeLimitMs = 60_000;
/** The guest writes about every 55 ms: one that runs has written by then, on a busy machine too. */
const watchMs = 500;

/** In this order. A third host comes in the moment in which neither runs; the destination does not know of it. */
const goingOn: Readonly<Record<Continuation, readonly HostName[]>> = {
  source: ["source"],
  destination: ["destination"],
  both: ["destination", "source"],
  third: ["third", "destination"],
};

export async function runCell(
  cell: Cell,
  { place, disk, lease }: { place: Place; disk: Disk; lease: { leases: Leases; vm: number } | null },
): Promise<Outcome> {
  const startedAt = performance.now();
  await writeDisk(disk.backing);
  const nothing = await readMarks(disk.backing);
  await using guests = new Guests({ place, disk, lease });
  const source = await guests.start("source", false);
  if (!(await allWrite(disk.backing, ["source"], nothing, writeLimitMs)))
    throw new Error("the guest does not write on its source");
  const destination = await guests.start("destination", true);
  if (lease !== null) {
    const { leases, vm } = lease;
    granted(await leases.convert("source", vm, "SH", source.pid));
    granted(await leases.acquire("destination", vm, "SH", destination.pid));
  }
  await source.migrateTo(destination, place.folder);

  const stopped: Outcome["stopped"] = [];
  const before = await readMarks(disk.backing);
  for (const host of goingOn[cell.continues]) {
    const refusal = await guests.goOn(host);
    if (refusal !== null) stopped.push({ host, ...refusal });
  }
  if (cell.continues === "source" && stopped.length > 0) {
    // It may not while the destination could: so the destination gives up, its share ends with its QEMU.
    await guests.end("destination");
    granted((await guests.goOn("source"))?.words ?? null);
  }
  const { ran, wrote, marks } = await guests.watch(before);
  return {
    ...cell,
    ran,
    wrote,
    runners: ran.length,
    doubled: ran.length > 1 && wrote.length > 1,
    stoppedBy: stopped[0]?.by ?? null,
    stopped,
    marks,
    heldAlone: lease === null ? null : await guests.holdAlone(ran),
    seconds: (performance.now() - startedAt) / 1000,
  };
}

/** The QEMUs of one cell. */
class Guests implements AsyncDisposable {
  readonly #options: Pick<GuestOptions, "place" | "disk" | "lease">;
  readonly #guests = new Map<HostName, Guest>();

  constructor(options: Pick<GuestOptions, "place" | "disk" | "lease">) {
    this.#options = options;
  }

  async start(host: HostName, isDestination: boolean): Promise<Guest> {
    const guest = await Guest.start({ ...this.#options, host, isDestination });
    this.#guests.set(host, guest);
    return guest;
  }

  async end(host: HostName): Promise<void> {
    await this.#guests.get(host)?.end();
    this.#guests.delete(host);
  }

  /** Lets the guest run on a host, if it may; null when it does. */
  async goOn(host: HostName): Promise<{ by: Stopper; words: string } | null> {
    const guest = this.#guests.get(host);
    if (guest !== undefined) {
      const refusal = await this.#leave(guest);
      if (refusal !== null) return { by: "lease", words: refusal };
    }
    try {
      // A third host boots the VM from its disk, as after a host's death; with the lease, under EX or not at all.
      await (guest?.continue() ?? this.start(host, false));
      return null;
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === null) throw error;
      return refusal;
    }
  }

  /** Whether the lease lets a QEMU that waits go on; null when it does. */
  async #leave({ host, pid }: Guest): Promise<string | null> {
    const { lease } = this.#options;
    if (lease === null) return null;
    const { leases, vm } = lease;
    if (host === "source") return await leases.convert(host, vm, "EX", pid);
    return (await leases.modeOf(host, vm, pid)) === null ? "its share of the lease is gone" : null;
  }

  /** Who runs, as QEMU and as the disk tell it; ran and wrote are in the order of the hosts. */
  async watch(before: Marks): Promise<{ ran: HostName[]; wrote: HostName[]; marks: Marks[] }> {
    const { backing } = this.#options.disk;
    const running = async () => {
      const hosts: HostName[] = [];
      for (const host of hostNames) if (await this.#guests.get(host)?.isRunning()) hosts.push(host);
      return hosts;
    };
    await allWrite(backing, await running(), before, writeLimitMs);
    const first = await readMarks(backing);
    await sleep(watchMs); // the others must be seen not to write
    const ran = await running();
    await allWrite(backing, ran, first, writeLimitMs);
    const second = await readMarks(backing);
    const wrote = hostNames.filter((host) => second[host] > first[host]);
    return { ran, wrote, marks: [before, first, second] };
  }

  /** The end of a handoff: the one that runs converts to EX when all others have ended. */
  async holdAlone(ran: readonly HostName[]): Promise<boolean> {
    const { lease } = this.#options;
    const [host] = ran;
    const guest = host === undefined ? undefined : this.#guests.get(host);
    if (lease === null || host === undefined || guest === undefined || ran.length > 1) return false;
    for (const other of hostNames) if (other !== host) await this.end(other);
    if ((await lease.leases.modeOf(host, lease.vm, guest.pid)) === "EX") return true;
    return (await lease.leases.convert(host, lease.vm, "EX", guest.pid)) === null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of hostNames) await this.end(host);
  }
}

/** What kept QEMU from going on or from starting, where that is a lock. */
function refusalOf(error: unknown): { by: Stopper; words: string } | null {
  if (!GodwitError.is(error)) return null;
  const words = error.message;
  if (/Failed to get .* lock/.test(words)) return { by: "image lock", words };
  const refusal = refusalIn(words);
  return refusal === null ? null : { by: "lease", words: refusal };
}

function granted(refusal: string | null): void {
  if (refusal !== null) throw new Error(`a lease was refused that must be granted: ${refusal}`);
}
