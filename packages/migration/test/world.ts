/**
 * A world for the two reducers: two QEMUs, two agents with journals, a lease service and a line between,
 * all of which may fail at any step that a random source chooses. A simulation, to see what the reducers
 * do; nothing here decides anything for them.
 */
import { vmSchema, type MoveOrder } from "@godwit/contract";
import {
  initialSource,
  restoreDestination,
  restoreSource,
  startDestination,
  stepDestination,
  stepSource,
  type DestinationEffect,
  type DestinationEntry,
  type DestinationInput,
  type DestinationState,
  type SourceEffect,
  type SourceEntry,
  type SourceInput,
  type SourceState,
  type ToDestination,
  type ToSource,
} from "../src/index.ts";

export const order: MoveOrder = {
  id: "11111111-1111-4111-8111-111111111111" as MoveOrder["id"],
  vm: vmSchema.parse({
    version: 1,
    id: "22222222-2222-4222-8222-222222222222",
    name: "web-1",
    datastore: "shared",
    memoryMib: 64,
    vcpus: 1,
    cpu: { model: "qemu64-v1" },
    machine: "pc-q35-7.2",
    disks: [],
    nics: [],
  }),
  from: "a",
  to: { host: "b", agentUrl: "https://b:8444" },
  maxOutageMs: 50,
  accelerator: "kvm",
  strategy: "precopy",
  bandwidthBytesPerSecond: null,
};
const problem = {
  type: "x",
  title: "x",
  status: 500,
  detail: "x",
  code: "X",
  remedy: "x",
  retry: "never",
  details: {},
} as const;
const qemuVersion = "10.0.2";

type Migration = "none" | "active" | "preSwitchover" | "device" | "completed" | "ended";

/** Numbers from 0 to below `n`. */
export type Choose = (n: number) => number;

export class World {
  readonly story: string[] = [];
  readonly sourceQemu = { alive: true, running: true, migration: "none" as Migration };
  readonly destinationQemu = { alive: false, running: false, loaded: false, failed: false };
  readonly leases = new Map<"a" | "b", "EX" | "SH">([["a", "EX"]]);
  source: SourceState | null = initialSource(order, qemuVersion);
  destination: DestinationState | null = null;
  /** Whether the guest ever ran at the destination: the source's copy is out of date from then on. */
  ranAtDestination = false;
  readonly #choose: Choose;
  readonly #sourceJournal: SourceEntry[] = [];
  readonly #destinationJournal: DestinationEntry[] = [];
  #sourceInputs: SourceInput[] = [{ type: "start" }];
  #destinationInputs: DestinationInput[] = [];
  #toSource: ToSource[] = [];
  #toDestination: ToDestination[] = [];
  #sourceTimers = new Set<Extract<SourceEffect, { do: "arm" }>["timer"]>();
  #destinationTimers = new Set<Extract<DestinationEffect, { do: "arm" }>["timer"]>();
  #lineUp = false;
  #round = 0;
  #refused = false;
  #closed = false;
  /** Faults may happen. */
  stormy = true;

  constructor(choose: Choose) {
    this.#choose = choose;
  }

  get isQuiet(): boolean {
    const sourceDone = this.source?.phase === "ended" && this.#closed;
    const destinationDone =
      this.destination === null ? this.#destinationJournal.length === 0 : this.destination.phase === "ended";
    return (
      sourceDone && destinationDone && this.#sourceInputs.length === 0 && this.#destinationInputs.length === 0
    );
  }

  /** One thing happens. @returns false when nothing can */
  step(): boolean {
    const possible = this.#possible();
    const [name, deed] = possible[this.#choose(possible.length)] ?? [];
    if (name === undefined || deed === undefined) return false;
    this.story.push(name);
    deed();
    this.#check();
    return true;
  }

  #possible(): [string, () => void][] {
    const all: [string, () => void][] = [];
    if (this.source !== null && this.#sourceInputs.length > 0)
      all.push([
        "source takes an input",
        () => {
          this.#takeSource();
        },
      ]);
    if (this.destination !== null && this.#destinationInputs.length > 0)
      all.push([
        "destination takes an input",
        () => {
          this.#takeDestination();
        },
      ]);
    if (this.#lineUp && this.#toDestination.length > 0)
      all.push([
        "message to the destination",
        () => {
          this.#deliverToDestination();
        },
      ]);
    if (this.#lineUp && this.#toSource.length > 0)
      all.push([
        "message to the source",
        () => {
          this.#deliverToSource();
        },
      ]);
    if (
      !this.#lineUp &&
      this.source !== null &&
      !this.#closed &&
      (this.destination !== null || this.#destinationJournal.length === 0)
    )
      all.push([
        "the line comes up",
        () => {
          this.#line(true);
        },
      ]);
    if (this.#lineUp && this.#closed && this.#toDestination.length === 0)
      all.push([
        "the source closes its line",
        () => {
          this.#line(false);
        },
      ]);
    this.#copyGoesOn(all);
    if (this.source === null)
      all.push([
        "source agent comes back",
        () => {
          this.#restartSource();
        },
      ]);
    if (this.destination === null && this.#destinationJournal.length > 0)
      all.push([
        "destination agent comes back",
        () => {
          this.#restartDestination();
        },
      ]);
    // In calm weather timers fire only when nothing else goes on: they are long.
    if (this.stormy || all.length === 0) {
      for (const timer of this.#sourceTimers) {
        if (this.source !== null)
          all.push([
            `source timer ${timer}`,
            () => {
              this.#sourceTimers.delete(timer);
              this.#sourceInputs.push({ type: "timer", timer, atMs: 1000 });
            },
          ]);
      }
      for (const timer of this.#destinationTimers) {
        if (this.destination !== null)
          all.push([
            `destination timer ${timer}`,
            () => {
              this.#destinationTimers.delete(timer);
              this.#destinationInputs.push({ type: "timer", timer, atMs: 1000 });
            },
          ]);
      }
    }
    if (this.stormy) this.#faults(all);
    return all;
  }

  #copyGoesOn(all: [string, () => void][]): void {
    const { sourceQemu, destinationQemu } = this;
    if (!sourceQemu.alive) return;
    if (sourceQemu.migration === "active") {
      if (sourceQemu.running) {
        all.push([
          "a pass begins",
          () => {
            this.#round += 1;
            const remainingBytes = [500_000, 5_000_000, 4096][this.#choose(3)] ?? 0;
            this.#sourceInputs.push({
              type: "sample",
              sample: {
                atMs: this.#round * 100,
                round: this.#round + 1,
                remainingBytes,
                transferredBytes: 1e6,
                totalBytes: 64e6,
                bytesPerSecond: 1e8,
                dirtyBytesPerSecond: 1e6,
                passBegins: true,
              },
              peerFresh: this.#lineUp,
            });
          },
        ]);
      } else {
        all.push([
          "QEMU waits for leave",
          () => {
            sourceQemu.migration = "preSwitchover";
            this.#sourceInputs.push({ type: "preSwitchover", atMs: 1 });
          },
        ]);
      }
    }
    if (sourceQemu.migration === "device") {
      all.push([
        "the final state arrives",
        () => {
          sourceQemu.migration = "completed";
          destinationQemu.loaded = true;
          this.#sourceInputs.push({ type: "completed" });
          this.#destinationInputs.push({ type: "loaded" });
        },
      ]);
    }
  }

  #faults(all: [string, () => void][]): void {
    if (this.#lineUp)
      all.push([
        "the line breaks",
        () => {
          this.#line(false);
        },
      ]);
    if (this.#toDestination.length > 0)
      all.push([
        "a message to the destination is doubled",
        () => {
          const [first] = this.#toDestination;
          if (first !== undefined) this.#toDestination.push(first);
        },
      ]);
    if (this.source !== null && !this.#closed)
      all.push([
        "source agent dies",
        () => {
          this.source = null;
          this.#sourceInputs = [];
          this.#sourceTimers.clear();
          if (this.#lineUp) this.#line(false);
        },
      ]);
    if (this.destination !== null && this.destination.phase !== "ended")
      all.push([
        "destination agent dies",
        () => {
          this.destination = null;
          this.#destinationInputs = [];
          this.#destinationTimers.clear();
          if (this.#lineUp) this.#line(false);
        },
      ]);
    if (this.source !== null && !["ended", "leaving"].includes(this.source.phase))
      all.push([
        "the user cancels",
        () => {
          this.#sourceInputs.push({ type: "cancel" });
        },
      ]);
    if (this.sourceQemu.alive && this.#choose(6) === 0)
      all.push([
        "source QEMU dies",
        () => {
          this.#endSourceQemu();
        },
      ]);
    if (this.destinationQemu.alive && this.#choose(6) === 0)
      all.push([
        "destination QEMU dies",
        () => {
          this.#endDestinationQemu();
        },
      ]);
  }

  #takeSource(): void {
    const input = this.#sourceInputs.shift();
    if (this.source === null || input === undefined) return;
    const step = stepSource(this.source, input);
    this.story.push(`  source ${this.source.phase} × ${input.type} → ${step.state.phase}`);
    this.source = step.state;
    for (const effect of step.effects) this.#doSource(effect);
  }

  #takeDestination(): void {
    const input = this.#destinationInputs.shift();
    if (this.destination === null || input === undefined) return;
    const step = stepDestination(this.destination, input);
    this.story.push(`  destination ${this.destination.phase} × ${input.type} → ${step.state.phase}`);
    this.destination = step.state;
    for (const effect of step.effects) this.#doDestination(effect);
  }

  #doSource(effect: SourceEffect): void {
    const { sourceQemu } = this;
    switch (effect.do) {
      case "journal":
        this.#sourceJournal.push(effect.entry);
        return;
      case "shareLease":
        this.#sourceInputs.push(
          this.#convert("a", "SH") ? { type: "leaseShared" } : { type: "leaseRefused", held: true, problem },
        );
        return;
      case "exclusiveLease":
        this.#sourceInputs.push(
          this.#convert("a", "EX")
            ? { type: "leaseExclusive", fenced: false }
            : { type: "leaseRefused", held: true, problem },
        );
        return;
      case "send":
        if (this.#lineUp) this.#toDestination.push(effect.message);
        return;
      case "startCopy":
        if (this.destinationQemu.alive && sourceQemu.alive) {
          sourceQemu.migration = "active";
          this.#round = 0;
        } else this.#sourceInputs.push({ type: "copyEnded", reason: "nobody listens" });
        return;
      case "pauseVcpus":
        if (sourceQemu.alive && sourceQemu.running) {
          sourceQemu.running = false;
          this.#sourceInputs.push({ type: "paused", atMs: 1, pass: 1 });
        }
        return;
      case "continueSwitchover":
        if (sourceQemu.migration === "preSwitchover") sourceQemu.migration = "device";
        return;
      case "cancelCopy":
        if (!sourceQemu.alive) return;
        if (sourceQemu.migration === "completed") {
          this.#sourceInputs.push({ type: "completed" });
          return;
        }
        if (["active", "preSwitchover", "device"].includes(sourceQemu.migration))
          this.#destinationInputs.push({ type: "loadFailed", reason: "cancelled" });
        sourceQemu.migration = "ended";
        this.#sourceInputs.push({ type: "copyEnded", reason: "cancelled" });
        return;
      case "resumeVcpus":
        if (sourceQemu.alive) {
          sourceQemu.running = true;
          this.#sourceInputs.push({ type: "resumed" });
        }
        return;
      case "remove":
        this.#endSourceQemu();
        this.#sourceInputs.push({ type: "removed" });
        return;
      case "releaseLease":
        this.leases.delete("a");
        this.#sourceInputs.push({ type: "released" });
        return;
      case "arm":
        this.#sourceTimers.add(effect.timer);
        return;
      case "disarm":
        this.#sourceTimers.delete(effect.timer);
        return;
      case "finish":
        this.#sourceTimers.clear();
        return;
      case "close":
        this.#closed = true;
        return;
      case "note":
        return;
    }
  }

  #doDestination(effect: DestinationEffect): void {
    const { destinationQemu } = this;
    switch (effect.do) {
      case "journal":
        this.#destinationJournal.push(effect.entry);
        return;
      case "prepare":
        if (this.leases.get("a") === "EX") {
          this.#destinationInputs.push({ type: "prepareFailed", problem });
          return;
        }
        this.leases.set("b", "SH");
        Object.assign(destinationQemu, { alive: true, running: false, loaded: false });
        this.#destinationInputs.push({ type: "prepared", address: "10.0.0.2", port: 4444 });
        return;
      case "send":
        if (this.#lineUp) this.#toSource.push(effect.message);
        return;
      case "resumeVcpus":
        if (!destinationQemu.alive) return;
        destinationQemu.running = true;
        this.ranAtDestination = true;
        this.#destinationInputs.push({ type: "resumed", commitToResumeMs: 1 });
        return;
      case "exclusiveLease": {
        const sourceFresh = this.source !== null;
        this.#destinationInputs.push(
          this.#convert("b", "EX")
            ? { type: "leaseExclusive" }
            : { type: "leaseRefused", held: true, sourceFresh },
        );
        return;
      }
      case "remove":
        this.#endDestinationQemu();
        this.#destinationInputs.push({ type: "removed" });
        return;
      case "releaseLease":
        this.leases.delete("b");
        this.#destinationInputs.push({ type: "released" });
        return;
      case "arm":
        this.#destinationTimers.add(effect.timer);
        return;
      case "disarm":
        this.#destinationTimers.delete(effect.timer);
        return;
      case "finish":
        this.#destinationTimers.clear();
        return;
      case "announce":
        return;
    }
  }

  #convert(host: "a" | "b", mode: "EX" | "SH"): boolean {
    const other = this.leases.get(host === "a" ? "b" : "a");
    if (!this.leases.has(host) || (mode === "EX" && other !== undefined)) return false;
    this.leases.set(host, mode);
    return true;
  }

  #line(up: boolean): void {
    this.#lineUp = up;
    this.#toSource = [];
    this.#toDestination = [];
    this.#sourceInputs.push({ type: up ? "peerUp" : "peerDown" });
    if (this.destination !== null) this.#destinationInputs.push({ type: up ? "peerUp" : "peerDown" });
  }

  #deliverToDestination(): void {
    const message = this.#toDestination.splice(this.#choose(this.#toDestination.length), 1)[0];
    if (message === undefined) return;
    if (this.destination !== null) {
      this.#destinationInputs.push({ type: "message", message, atMs: 1 });
      return;
    }
    if (message.type === "prepare" && this.#destinationJournal.length === 0 && !this.#refused) {
      const step = startDestination(message.order);
      this.destination = step.state;
      for (const effect of step.effects) this.#doDestination(effect);
    } else if (message.type !== "left" && this.#destinationJournal.length === 0) {
      this.#refused = true;
      this.#toSource.push({ type: "gaveUp", problem }); // it never heard of the move, and never will
    }
  }

  #deliverToSource(): void {
    const message = this.#toSource.splice(this.#choose(this.#toSource.length), 1)[0];
    if (message !== undefined && this.source !== null)
      this.#sourceInputs.push({ type: "message", message, atMs: 1 });
  }

  #restartSource(): void {
    if (this.#sourceJournal.length === 0) {
      this.source = initialSource(order, qemuVersion);
      this.#sourceInputs = [{ type: "start" }];
      return;
    }
    const { alive, running, migration } = this.sourceQemu;
    const step = restoreSource(this.#sourceJournal, {
      qemuVersion,
      qemuAlive: alive,
      guestRuns: running,
      copyCompleted: migration === "completed",
    });
    this.story.push(`  source comes back as ${step.state.phase}`);
    this.source = step.state;
    for (const effect of step.effects) this.#doSource(effect);
  }

  #restartDestination(): void {
    const { alive, running, loaded } = this.destinationQemu;
    const step = restoreDestination(this.#destinationJournal, {
      qemuAlive: alive,
      guestRuns: running,
      loaded,
      listening: null,
    });
    this.story.push(`  destination comes back as ${step.state.phase}`);
    this.destination = step.state;
    for (const effect of step.effects) this.#doDestination(effect);
  }

  #endSourceQemu(): void {
    if (!this.sourceQemu.alive) return;
    Object.assign(this.sourceQemu, { alive: false, running: false });
    if (this.source !== null) this.#sourceInputs.push({ type: "qemuGone", reason: "it died" });
    const sending =
      this.sourceQemu.migration === "active" ||
      this.sourceQemu.migration === "preSwitchover" ||
      this.sourceQemu.migration === "device";
    if (sending && this.destination !== null)
      this.#destinationInputs.push({ type: "loadFailed", reason: "the stream broke" });
  }

  #endDestinationQemu(): void {
    if (!this.destinationQemu.alive) return;
    Object.assign(this.destinationQemu, { alive: false, running: false });
    if (this.destination !== null) this.#destinationInputs.push({ type: "qemuGone", reason: "it died" });
    const { migration } = this.sourceQemu;
    if (migration === "active" || migration === "preSwitchover" || migration === "device") {
      this.sourceQemu.migration = "ended";
      this.#sourceInputs.push({ type: "copyEnded", reason: "the stream broke" });
    }
  }

  /** @throws with the whole story when the guest would run twice, or an old copy goes on */
  #check(): void {
    const fail = (what: string) => {
      throw new Error(`${what}\n${this.story.join("\n")}`);
    };
    if (this.sourceQemu.running && this.destinationQemu.running) fail("the guest runs twice");
    if (this.ranAtDestination && this.sourceQemu.running) fail("an old copy runs again");
    if (this.destinationQemu.running && !this.destinationQemu.loaded)
      fail("the guest runs with half its memory");
    if (this.destinationQemu.running && !this.leases.has("b")) fail("the guest runs without a lease");
    if (this.sourceQemu.running && !this.leases.has("a")) fail("the guest runs without a lease");
  }
}
