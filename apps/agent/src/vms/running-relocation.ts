/** The move of one disk of a running VM. Its caller has claimed the VM. */
import { GodwitError, type ImageCopy, type Vm } from "@godwit/contract";
import {
  resizeDisk,
  writtenStorage,
  type DiskMirror,
  type MirrorJob,
  type QemuProcess,
} from "@godwit/hypervisor";
import { relocationStep, type RelocationFacts } from "@godwit/migration";
import {
  beginRelocation,
  copyProgress,
  describeAt,
  describedImage,
  endRelocation,
  makeTarget,
  readVm,
  saveVm,
  seenVolumes,
  wholeExtents,
  type CopySample,
  type KnownVolumes,
  type Relocation,
  type VmDatastores,
} from "@godwit/storage";
import { sleep, Wakeup } from "@godwit/system";
import type { Logger } from "pino";
import type { Leases } from "../leases/leases.ts";
import { reasonOf } from "../reason.ts";
import type { Environment } from "./environment.ts";
import { RelocationImages } from "./relocation-images.ts";

/** QEMU tells when its job goes on to another state; how far it is has to be asked. */
const lookEveryMs = 1000;
/** The rate is of so many looks. */
const looks = 5;
/** QEMU has gone on to another state meanwhile, or a step fails for good. */
const mostTroubles = 20;

export interface RunningRelocationParts {
  environment: Pick<Environment, "datastoresOf" | "attachVolume" | "mayBeFencedAt">;
  leases: Pick<Leases, "writesTo" | "mustCount">;
  process: QemuProcess;
  relocation: Relocation;
  /** Aborted when it is cancelled. */
  signal: AbortSignal;
  /** Aborted when the agent stops: QEMU is left as it is. */
  stopped: AbortSignal;
  tell: (copy: ImageCopy) => void;
  log: Logger;
}

export class RunningRelocation {
  readonly #parts: RunningRelocationParts;
  readonly #samples: CopySample[] = [];
  /** Why it goes back; null: it does not, or was cancelled. */
  #failure: GodwitError | null = null;
  #bytesPerSecond: number | null = null;
  /** An earlier agent began it, and a copy that QEMU does not make any more is not started again. */
  #beginsNothing = false;
  #hasEnded = false;
  readonly #ended = new AbortController();
  /** Seen while QEMU ran: what has their names later may be of a host that runs the VM then. */
  #volumes: KnownVolumes = {};
  #sawJob = false;
  /** From then on requests of the disk may be held back. */
  #endAskedMs = 0;
  /** QEMU has told of a job, or the move was cancelled. */
  readonly #told = new Wakeup();

  constructor(parts: RunningRelocationParts) {
    this.#parts = parts;
    void parts.process.ended.then(() => {
      this.#hasEnded = true;
      this.#ended.abort(new Error("the VM's QEMU has ended"));
      this.#told.wake();
    });
  }

  /** @returns the VM with the disk at its new place @throws DISK_RELOCATION_FAILED, DISK_RELOCATION_CANCELLED, SPACE_SHORT, … */
  async run(bytesPerSecond: number | null): Promise<Vm> {
    this.#bytesPerSecond = bytesPerSecond;
    return await this.#toItsEnd();
  }

  /** What an earlier agent began. */
  async restore(): Promise<Vm> {
    this.#beginsNothing = true;
    return await this.#toItsEnd();
  }

  async #toItsEnd(): Promise<Vm> {
    const { environment, process, relocation, stopped, log } = this.#parts;
    const { vm } = process.spec;
    const stores = await environment.datastoresOf(vm, [relocation.from.datastore, relocation.to.datastore]);
    this.#volumes = await seenVolumes(stores, vm, relocation);
    // Opened before any command: what QEMU tells while nobody waits ends the next wait.
    using _events = process.onEvent(({ name }) => {
      if (name === "JOB_STATUS_CHANGE") this.#told.wake();
    });
    const { signal } = this.#parts;
    const onCancel = () => {
      this.#told.wake();
    };
    signal.addEventListener("abort", onCancel, { once: true });
    using _cancel = {
      [Symbol.dispose]: () => {
        signal.removeEventListener("abort", onCancel);
      },
    };
    let end: Vm | null = null;
    for (let troubles = 0; end === null;) {
      stopped.throwIfAborted();
      try {
        end = await this.#next(stores);
      } catch (error) {
        if (GodwitError.is(error, "QMP_INTERRUPTED")) {
          // QEMU has ended, or its session is made again.
          await Promise.race([process.ended, sleep(lookEveryMs)]);
          continue;
        }
        // Once QEMU copies, its job has to be brought to an end, whatever else fails: it may hold requests back.
        if (!this.#sawJob || ++troubles > mostTroubles) throw error;
        log.warn({ err: error, vm: vm.name, disk: relocation.disk }, "a step of a disk's move has failed");
        this.#failure ??= GodwitError.is(error, "SPACE_SHORT") ? error : this.#failed(reasonOf(error), error);
        await sleep(lookEveryMs / 10);
      }
    }
    const isThere = describedImage(end, relocation) === "target";
    log.info({ vm: vm.name, disk: relocation.disk, isThere }, "the move of a disk has ended");
    if (isThere) return end;
    throw this.#failure ?? this.#cancelled();
  }

  /** @returns the VM at the end; null: it goes on */
  async #next(stores: VmDatastores): Promise<Vm | null> {
    const { process, relocation, log } = this.#parts;
    const vm = await readVm(stores.own, process.spec.vm.name);
    const images = this.#images(stores, vm);
    const mirror = await images.mirror();
    const job = this.#hasEnded ? null : await mirror.job();
    const facts = await this.#facts(vm, mirror, job);
    const step = relocationStep(facts);
    if (step !== "wait") log.info({ vm: vm.name, disk: relocation.disk, ...facts, step }, "move of a disk");
    switch (step) {
      case "copy":
        await this.#copy(stores, vm, images, mirror);
        return null;
      case "wait":
        await this.#wait(job);
        return null;
      case "end":
        this.#tell(job, "flushing");
        await this.#writesAlsoTo(...(await images.written()));
        this.#endAskedMs = performance.now();
        await mirror.end();
        await this.#wait(job);
        return null;
      case "cancel":
        await mirror.cancel();
        await this.#wait(job);
        return null;
      case "dismiss":
        if (facts.described === "source") this.#failure ??= this.#failed(job?.error ?? "the copy ended");
        await mirror.dismiss();
        return null;
      case "describeTarget":
        await saveVm(stores.own, describeAt(vm, relocation, "target"));
        return null;
      case "describeSource":
        this.#failure = this.#failed("QEMU did not change to the new image");
        await saveVm(stores.own, describeAt(vm, relocation, "source"));
        return null;
      case "change":
        await mirror.change().catch(async (error: unknown) => {
          // Its requests are still held back: the source is as whole as the target.
          if (GodwitError.is(error, "QMP_REFUSED"))
            await saveVm(stores.own, describeAt(vm, relocation, "source"));
          throw error;
        });
        log.info(
          { vm: vm.name, disk: relocation.disk, heldMs: Math.round(performance.now() - this.#endAskedMs) },
          "a disk is on its new image; its requests were held back for this time at most",
        );
        await this.#wait(job);
        return null;
      case "removeSource":
        await this.#remove(stores, vm, images, "source");
        return vm;
      case "removeTarget":
        await this.#remove(stores, vm, images, "target");
        return vm;
    }
  }

  async #facts(vm: Vm, mirror: DiskMirror, job: MirrorJob | null): Promise<RelocationFacts> {
    const { relocation, signal } = this.#parts;
    const described = describedImage(vm, relocation);
    if (described === null)
      throw this.#failed(`vm.json names neither its old nor its new place for disk ${relocation.disk}`);
    if (this.#hasEnded) this.#failure ??= this.#failed("the VM's QEMU has ended");
    if (job !== null) this.#sawJob = true;
    const isLost = job === null && (this.#sawJob || this.#beginsNothing);
    if (isLost && described === "source") this.#failure ??= this.#failed("QEMU does not copy it any more");
    return {
      described,
      used: this.#hasEnded ? null : await mirror.used(),
      job: job?.status ?? null,
      direction: signal.aborted || this.#failure !== null ? "back" : "forward",
    };
  }

  async #copy(stores: VmDatastores, vm: Vm, images: RelocationImages, mirror: DiskMirror): Promise<void> {
    const { process, relocation, signal, stopped } = this.#parts;
    await beginRelocation(stores, vm, relocation);
    try {
      const sizeBytes = await this.#sizeForTarget(images, mirror);
      const ends = AbortSignal.any([signal, stopped, this.#ended.signal]);
      const { target: _replaced, ...volumes } = this.#volumes;
      this.#volumes = volumes;
      await makeTarget(stores, { vm, relocation }, { sizeBytes, user: process.user, signal: ends });
      this.#volumes = await seenVolumes(stores, vm, relocation);
      await images.attachTarget(this.#parts);
      await this.#writesAlsoTo(...(await images.written()));
      await (await images.mirror()).start(this.#bytesPerSecond);
      this.#sawJob = true;
    } catch (error) {
      if (GodwitError.is(error, "QMP_INTERRUPTED")) throw error;
      if (signal.aborted) return;
      this.#failure = GodwitError.is(error, "SPACE_SHORT") ? error : this.#failed(reasonOf(error), error);
    }
  }

  /** QEMU lets a disk go over to an image of its own size only, and a volume has whole extents: the disk grows to that before. */
  async #sizeForTarget(images: RelocationImages, mirror: DiskMirror): Promise<number> {
    const { process, relocation } = this.#parts;
    const sizeBytes = await mirror.sizeBytes();
    const wanted = images.target.isDevice ? wholeExtents(sizeBytes) : sizeBytes;
    if (wanted > sizeBytes) await resizeDisk(process, relocation.disk, wanted);
    return wanted;
  }

  async #remove(
    stores: VmDatastores,
    vm: Vm,
    images: RelocationImages,
    image: "source" | "target",
  ): Promise<void> {
    const { relocation, log } = this.#parts;
    if (!this.#hasEnded) {
      await images.noteUsed(image === "source" ? "target" : "source");
      await (await images.mirror()).closeOther();
      await this.#writesAlsoTo();
    }
    const left = await endRelocation(stores, vm, relocation, this.#volumes);
    if (left !== null)
      log.warn(
        { err: left, vm: vm.name, disk: relocation.disk },
        "a volume that the VM has no more could not be removed yet",
      );
  }

  /** The lease waits for what was written to these too; what is removed must not be kept open. @throws SANLOCK_UNAVAILABLE */
  async #writesAlsoTo(...others: string[]): Promise<void> {
    const { leases, process } = this.#parts;
    const written = writtenStorage(process.spec);
    await leases.writesTo(process.spec.vm, { ...written, images: [...written.images, ...others] });
  }

  /** Until QEMU tells of a job, also if it did since the last look, has ended, or some time has passed. */
  async #wait(job: MirrorJob | null): Promise<void> {
    this.#tell(job, "copying");
    await this.#told.next(lookEveryMs);
  }

  #tell(job: MirrorJob | null, phase: ImageCopy["phase"]): void {
    if (job === null) return;
    this.#samples.push({ atMs: performance.now(), copiedBytes: job.copiedBytes });
    if (this.#samples.length > looks + 1) this.#samples.shift();
    const progress = copyProgress(this.#parts.relocation.disk, job.totalBytes, this.#samples);
    this.#parts.tell(phase === "copying" ? progress : { ...progress, phase, etaMs: null });
  }

  #images(stores: VmDatastores, vm: Vm): RelocationImages {
    return new RelocationImages(this.#parts.process, stores, vm, this.#parts.relocation);
  }

  #failed(reason: string, cause?: unknown): GodwitError {
    const { process, relocation } = this.#parts;
    const details = {
      ...{ vm: process.spec.vm.name, disk: relocation.disk, datastore: relocation.to.datastore },
      reason: reason.replace(/\.$/, ""),
    };
    return GodwitError.of("DISK_RELOCATION_FAILED", details, { cause });
  }

  #cancelled(): GodwitError {
    const { process, relocation } = this.#parts;
    const details = {
      ...{ vm: process.spec.vm.name, disks: [relocation.disk], datastore: relocation.to.datastore },
    };
    return GodwitError.of("DISK_RELOCATION_CANCELLED", details);
  }
}
