/** The volumes of a LUN's group, and what changes them: each under the lease of the group's metadata, and of a volume only if it is still as it was seen. */
import { GodwitError, isVolumePath, volumePath } from "@godwit/contract";
import type { RunResult } from "@godwit/system";
import { checkedCommand, lineOf, lookFields } from "./checked-command.ts";
import { cutOffGrowth, growthTag } from "./growth.ts";
import { shortageIn } from "./shortage.ts";
import { asRaw, lvmArguments, volumesOn, type VolumeOnLun } from "./lvm.ts";
import { deviceName, devicePath } from "./volume-devices.ts";
import { zeroRange } from "./zeroing.ts";

interface GroupPlace {
  /** Of the LUN. */
  device: string;
  group: string;
  datastore: string;
  host: string;
}

export class Volumes {
  readonly #place: GroupPlace;
  readonly #underLock: (argv: readonly string[], what: string) => Promise<RunResult>;

  /** @param underLock runs a program, whose path is absolute */
  constructor(place: GroupPlace, underLock: (argv: readonly string[], what: string) => Promise<RunResult>) {
    this.#place = place;
    this.#underLock = underLock;
  }

  /** Null: there is none of this name. */
  async find(volume: string): Promise<VolumeOnLun | null> {
    const { device, group } = this.#place;
    return (await volumesOn(device, group)).get(volume) ?? null;
  }

  /** All of a VM's disks, by their names. */
  async of(vmId: string): Promise<Map<string, VolumeOnLun>> {
    const { device, group } = this.#place;
    const all = [...(await volumesOn(device, group))];
    return new Map(all.filter(([name]) => isVolumePath(name) && name.startsWith(volumePath(vmId, ""))));
  }

  /** It is not active anywhere, and not zeroed. @throws SPACE_SHORT */
  async create(volume: string, sizeMib: number): Promise<void> {
    const words = [
      ...["lvcreate", "--name", volume, "--size", `${String(sizeMib)}m`, "--type", "linear"],
      ...["--activate", "n", "--zero", "n", "--wipesignatures", "n", "--setautoactivation", "n"],
      this.#place.group,
    ];
    await this.#orShort(
      this.#underLock(lvmArguments(this.#place.device, words), this.#what("making", volume)),
    );
  }

  /**
   * @param isOpen whether something here has it open: a step of its zeroing that an earlier agent has left ends before the lease is had
   * @throws PROGRAM_FAILED when it is still open then
   */
  async remove(volume: string, seen: VolumeOnLun, isOpen = false): Promise<void> {
    const closed = lineOf(["/sbin/dmsetup", "remove", "--retry", deviceName(this.#place.group, volume)]);
    const lines = [...(isOpen ? [closed] : []), this.#line("lvremove", ["--yes"], volume)];
    await this.#change(volume, seen, lines, "removing");
  }

  /** It grows from now on, until {@link endGrowth}. @throws SPACE_SHORT, LUN_METADATA_LOCKED when something else has come between */
  async beginGrowth(volume: string, seen: VolumeOnLun, toBytes: number): Promise<VolumeOnLun> {
    const lines = [
      this.#line("lvchange", ["--addtag", growthTag(seen.sizeBytes)], volume),
      this.#line("lvextend", ["--size", `${String(toBytes)}b`], volume),
    ];
    await this.#orShort(this.#change(volume, seen, lines, "growing"));
    const grown = await this.find(volume);
    if (grown?.uuid === seen.uuid && grown.sizeBytes === toBytes) return grown;
    const { datastore, host } = this.#place;
    const reason = `another command has changed volume ${volume} while it grew`;
    throw GodwitError.of("LUN_METADATA_LOCKED", { datastore, host, reason });
  }

  /** All that is new of it is zeros. */
  async endGrowth(volume: string, seen: VolumeOnLun): Promise<void> {
    await this.#change(volume, seen, [this.#withoutTags(volume, seen)], "ending the growth of");
  }

  /** As it was before a growth that was cut off. @returns as it is then */
  async undoGrowth(volume: string, seen: VolumeOnLun): Promise<VolumeOnLun> {
    const growth = cutOffGrowth(seen.tags);
    if (growth === null) return seen;
    const { fromBytes } = growth;
    const size = ["--force", "--yes", "--size", `${String(fromBytes)}b`];
    // A newer LVM would look for a file system, which is the guest's own; an older one does not know the option.
    const reduce = `${this.#line("lvreduce", ["--fs", "ignore", ...size], volume)} || ${this.#line("lvreduce", size, volume)}`;
    const lines = [...(seen.sizeBytes > fromBytes ? [reduce] : []), this.#withoutTags(volume, seen)];
    await this.#change(volume, seen, lines, "undoing the growth of");
    return (await this.find(volume)) ?? seen;
  }

  /** The volume is active here. */
  async zero(
    volume: string,
    seen: VolumeOnLun,
    range: { fromBytes: number; toBytes: number },
    signal?: AbortSignal,
  ): Promise<void> {
    const device = devicePath(this.#place.group, volume);
    // A range beyond the device's end would be passed over without a word.
    const isWhole = `[ "$(/sbin/blockdev --getsize64 ${device})" -ge ${String(range.toBytes)} ]`;
    const step = async (offset: number, length: number) => {
      const numbers = ["--offset", String(offset), "--length", String(length)];
      const lines = [isWhole, lineOf(["/sbin/blkdiscard", "--zeroout", ...numbers, device])];
      await this.#change(volume, seen, lines, "zeroing");
    };
    await zeroRange(range, step, signal);
  }

  #withoutTags(volume: string, { tags }: VolumeOnLun): string {
    const ended = (cutOffGrowth(tags)?.tags ?? []).flatMap((tag) => ["--deltag", tag]);
    return this.#line("lvchange", ended, volume);
  }

  #line(command: string, words: readonly string[], volume: string): string {
    const { device, group } = this.#place;
    return lineOf(lvmArguments(device, [command, ...words, `${group}/${volume}`]));
  }

  async #change(volume: string, seen: VolumeOnLun, lines: readonly string[], doing: string): Promise<void> {
    const { device, group } = this.#place;
    const look = lvmArguments(device, ["lvs", ...asRaw, "-o", lookFields, `${group}/${volume}`]);
    await this.#underLock(checkedCommand(look, seen, lines), this.#what(doing, volume));
  }

  /** What was free when the group was looked at may be another volume's since. @throws SPACE_SHORT */
  async #orShort(change: Promise<unknown>): Promise<void> {
    try {
      await change;
    } catch (error) {
      const short = GodwitError.is(error, "PROGRAM_FAILED") ? shortageIn(error.problem.details.output) : null;
      if (short === null) throw error;
      throw GodwitError.of("SPACE_SHORT", { path: this.#place.device, ...short }, { cause: error });
    }
  }

  #what(doing: string, volume: string): string {
    return `${doing} volume ${volume} of datastore ${this.#place.datastore}`;
  }
}
