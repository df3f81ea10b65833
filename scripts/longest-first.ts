/**
 * The order of the tests' files: first those that take minutes, since one that begins last runs on alone. Vitest knows how long each took
 * only where it has run before; by itself it goes by the size of files, which says little of a story.
 */
import { basename } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Stories that take more than a minute and a half, as the end of a run lists them; the longest first. */
const longest = [
  ...["disk-move", "snapshots", "postcopy", "faults", "networks", "consolidation", "full-disk", "apart-move"],
  ...["pool-update", "unhealthy-bmc", "unhealthy-host", "qemu-versions", "device-models", "authority"],
  ...["guest-stops", "guest-hangs"],
].map((name) => `${name}.test.ts`);

const rank = ({ moduleId }: TestSpecification): number => {
  const place = longest.indexOf(basename(moduleId));
  return place === -1 ? longest.length : place;
};

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => rank(a) - rank(b));
  }
}
