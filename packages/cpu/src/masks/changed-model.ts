/**
 * A QEMU CPU model with bits switched on and off. Where nobody says what the model has by itself, a bit that
 * nothing changes is taken to be there only if every 64-bit CPU has it.
 */
import { finding, type Finding, type VmCpu } from "@godwit/contract";
import type { CpuFeature } from "../features/feature.ts";
import { dependentsOf, featureNamed, features } from "../features/features.ts";
import { isOlderQemu, oldestQemu } from "../features/qemu-version.ts";

export class ChangedModel {
  readonly qemuVersion: string;
  readonly #base: VmCpu;
  readonly #model: ReadonlySet<string> | null;
  /** What the masks want; a name is in one of the two at most. */
  readonly #shown = new Set<string>();
  readonly #hidden = new Set<string>();
  /** What the base itself adds and removes. */
  readonly #added: ReadonlySet<string>;
  readonly #removed: ReadonlySet<string>;

  constructor(
    base: VmCpu,
    {
      modelFeatures,
      qemuVersion = oldestQemu,
    }: { modelFeatures?: ReadonlySet<string>; qemuVersion?: string },
  ) {
    this.#base = base;
    this.#model = modelFeatures === undefined ? null : new Set([...modelFeatures].map(canonical));
    this.qemuVersion = qemuVersion;
    this.#added = new Set(base.add.map(canonical));
    this.#removed = new Set(base.remove.map(canonical));
  }

  /** Whether this QEMU has a property for it. */
  knows({ qemuSince }: CpuFeature): boolean {
    return qemuSince !== null && !isOlderQemu(this.qemuVersion, qemuSince);
  }

  set(name: string, on: boolean): void {
    (on ? this.#hidden : this.#shown).delete(name);
    (on ? this.#shown : this.#hidden).add(name);
  }

  hides(name: string): boolean {
    return this.#hidden.has(name);
  }

  has(name: string): boolean {
    return this.#state(name) ?? inEvery64BitCpu(name);
  }

  /**
   * Hides what needs a feature that is switched off, and what a mask asks for though the model lacks what it needs.
   * @returns one finding for each that was asked for
   */
  hideDependents(): Finding[] {
    const findings: Finding[] = [];
    for (const { name: parent } of features) {
      if (this.#state(parent) !== false) continue;
      const switchedOff = this.#hidden.has(parent) || this.#removed.has(parent);
      for (const child of dependentsOf(parent)) {
        const asked = switchedOff
          ? this.#shown.has(child) || this.#added.has(child)
          : this.#shown.has(child) && this.#model?.has(child) !== true;
        if (this.#hidden.has(child) || !(asked || switchedOff)) continue;
        if (asked) findings.push(finding("MASK_PARENT_HIDDEN", { feature: child, parent }, "warning"));
        this.set(child, false);
      }
    }
    return findings;
  }

  /** The model with its changes: the base's own first, then the masks', in the order of CPUID. */
  flags(): VmCpu {
    const order = features.filter((feature) => this.knows(feature)).map(({ name }) => name);
    const changesModel = (name: string, on: boolean): boolean =>
      this.#model === null || this.#model.has(name) !== on;
    const unsaid = (names: readonly string[], name: string): boolean => !names.map(canonical).includes(name);
    const { model, add, remove } = this.#base;
    return {
      model,
      add: [
        ...add.filter((name) => !this.#hidden.has(canonical(name))),
        ...order.filter((name) => this.#shown.has(name) && unsaid(add, name) && changesModel(name, true)),
      ],
      remove: [
        ...remove.filter((name) => !this.#shown.has(canonical(name))),
        ...order.filter(
          (name) => this.#hidden.has(name) && unsaid(remove, name) && changesModel(name, false),
        ),
      ],
    };
  }

  /** null: the masks and the base say nothing, and the model is not known. */
  #state(name: string): boolean | null {
    if (this.#hidden.has(name)) return false;
    if (this.#shown.has(name) || this.#added.has(name)) return true;
    if (this.#removed.has(name)) return false;
    const feature = featureNamed(name);
    if (this.#model === null || feature === undefined || !this.knows(feature)) return null;
    return this.#model.has(name);
  }
}

const canonical = (name: string): string => featureNamed(name)?.name ?? name;

const inEvery64BitCpu = (name: string): boolean => {
  const feature = featureNamed(name);
  return feature?.leaf === 1 && feature.register === "edx" && feature.mask === "H";
};
