/**
 * CloudSim's power-aware data centre (3.0.3), as its PlanetLab examples run it: hosts share their MIPS among VMs, a VM that migrates
 * loses a tenth of its own and costs its target a tenth, an empty host is off. Every five minutes, and whenever migrations end, all is
 * computed again; the energy between two moments is the mean of the power at both. As in CloudSim, memory counts when a VM is first
 * placed, and no more after that: the traces have none. And as in CloudSim a VM that wants nothing at such a moment has completed, and is
 * removed: without that its published energies do not come out.
 */
import { mipsOf, moveLoss, wattsAt, type HostType, type VmType } from "./model.ts";
import { useAt } from "./traces.ts";

export interface Vm {
  index: number;
  type: VmType;
  trace: Float64Array;
  host: Host;
  /** Where it migrates to. */
  target: Host | null;
  /** What it wants now, and what it gets. */
  requested: number;
  allocated: number;
}

export interface Host {
  index: number;
  type: HostType;
  mips: number;
  vms: Set<Vm>;
  /** VMs on their way to it. */
  coming: Set<Vm>;
  /** Of all its VMs now, as a part of its MIPS; 0: it is off. */
  use: number;
}

interface Moment {
  allocated: number;
  requested: number;
}

export class Datacenter {
  readonly hosts: readonly Host[];
  /** Those that have not completed. */
  vms: readonly Vm[];
  wattSeconds = 0;
  migrations = 0;
  /** Of hosts that are on: all, and with less than their VMs want. */
  #activeSeconds = 0;
  #shortSeconds = 0;
  /** Of VMs, in MIPS seconds: wanted, and not given while they migrated. */
  #requested = 0;
  #lostInMoves = 0;
  #before: (Moment & { isOn: boolean })[];
  #vmBefore: (Moment & { migrates: boolean })[];
  #now = 0;
  /** There is no state before the first moment. */
  #hasBefore = false;

  constructor(types: readonly HostType[], vms: readonly VmType[], traces: readonly Float64Array[]) {
    this.hosts = types.map((type, index) => ({
      ...{ index, type, mips: mipsOf(type), vms: new Set<Vm>(), coming: new Set<Vm>(), use: 0 },
    }));
    const nowhere = this.hosts[0] as Host;
    this.vms = vms.map((type, index) => ({
      ...{ index, type, trace: traces[index] as Float64Array, host: nowhere, target: null },
      ...{ requested: type.mips, allocated: 0 },
    }));
    this.#before = [];
    this.#vmBefore = [];
  }

  place(vm: Vm, host: Host): void {
    vm.host = host;
    host.vms.add(vm);
  }

  /** The VM begins to migrate; it counts at both ends until it has arrived. */
  beginMove(vm: Vm, target: Host): void {
    vm.target = target;
    target.coming.add(vm);
    this.migrations += 1;
  }

  /** A VM that was told to go to two hosts goes to one and then to the other. */
  endMove(vm: Vm, target: Host): void {
    vm.host.vms.delete(vm);
    target.coming.delete(vm);
    this.place(vm, target);
    if (vm.target === target) vm.target = null;
  }

  /** All that happened since the moment before is counted, and what each gets from now on is computed. */
  advance(seconds: number): void {
    const passed = seconds - this.#now;
    for (const vm of this.vms) vm.requested = useAt(vm.trace, seconds) * vm.type.mips;
    const before = this.hosts.map(({ use }) => use);
    for (const host of this.hosts) this.#share(host);
    for (const host of this.hosts) {
      const from = before[host.index] as number;
      if (from > 0)
        this.wattSeconds += ((wattsAt(host.type, from) + wattsAt(host.type, host.use)) / 2) * passed;
    }
    this.#count(passed);
    this.#now = seconds;
    this.#hasBefore = true;
    const completed = this.vms.filter(({ requested, target }) => requested === 0 && target === null);
    for (const vm of completed) vm.host.vms.delete(vm);
    if (completed.length > 0) this.vms = this.vms.filter((vm) => !completed.includes(vm));
  }

  get figures() {
    return {
      energyKwh: this.wattSeconds / 3_600_000,
      slatah: this.#shortSeconds / this.#activeSeconds,
      pdm: this.#lostInMoves / this.#requested,
      migrations: this.migrations,
    };
  }

  /** A host that has too little gives every VM the same part of what it wants. A VM that is on its way to it has a tenth there. */
  #share(host: Host): void {
    const core = host.type.mipsPerCore;
    const capped = (vm: Vm) => Math.min(vm.requested, core);
    let wanted = 0;
    for (const vm of host.vms) wanted += capped(vm);
    for (const vm of host.coming) wanted += capped(vm) * moveLoss;
    const isShort = wanted > host.mips;
    const given = (mips: number) => (isShort ? Math.floor((mips * host.mips) / wanted) : mips);
    let used = 0;
    for (const vm of host.vms) {
      vm.allocated = given(capped(vm) * (vm.target === null ? 1 : 1 - moveLoss));
      used += vm.target === null ? vm.allocated : vm.allocated / (1 - moveLoss);
    }
    for (const vm of host.coming) used += given(capped(vm) * moveLoss);
    host.use = used / host.mips;
    if (host.use > 1 && host.use < 1.01) host.use = 1;
  }

  #count(passed: number): void {
    if (this.#hasBefore) {
      for (const { allocated, requested, isOn } of this.#before) {
        if (!isOn) continue;
        this.#activeSeconds += passed;
        if (allocated < requested - 1e-9) this.#shortSeconds += passed;
      }
      for (const { allocated, requested, migrates } of this.#vmBefore) {
        this.#requested += requested * passed;
        if (migrates) this.#lostInMoves += (requested - allocated) * passed;
      }
    }
    this.#before = this.hosts.map((host) => {
      let requested = 0;
      // Also what a VM wants that is still on its way: the host counts as short while one comes.
      for (const vm of [...host.vms, ...host.coming]) requested += vm.requested;
      return { allocated: host.use * host.mips, requested, isOn: host.use > 0 };
    });
    this.#vmBefore = this.vms.map(({ allocated, requested, target }) => ({
      ...{ allocated, requested, migrates: target !== null },
    }));
  }
}
