/** Who runs, and who writes, when several hosts may take the disk after a migration: with the lease never two. */
import { readdir, readFile } from "node:fs/promises";
import { run } from "@godwit/system";
import { beforeAll, expect, test } from "vitest";
import { describeWith } from "../../test-kit/src/describe-with.ts";
import { cells, runMatrix, type Matrix } from "../../faults/split-brain/matrix.ts";
import { failureOf, type Outcome } from "../../faults/split-brain/outcome.ts";
import { isAsItMustBe, race } from "../../faults/race/race.ts";
import { missingPackages } from "../../faults/split-brain/packages.ts";

const missing = await missingPackages();
const reason = missing.length > 0 ? `not installed: ${missing.join(", ")}` : null;

describeWith("the split-brain matrix", reason, () => {
  let matrix: Matrix;
  beforeAll(async () => {
    matrix = await runMatrix(() => undefined);
  });
  const those = (fits: (outcome: Outcome) => boolean): Outcome[] => matrix.cells.filter(fits);
  const namesOf = (outcomes: readonly Outcome[]): string[] =>
    outcomes.map(({ disk, continues }) => `${disk} ${continues}`);

  test("every cell was run, and none is other than it must be", () => {
    expect(matrix.cells.map(({ disk, continues, lease }) => ({ disk, continues, lease }))).toEqual(cells);
    expect(those((outcome) => failureOf(outcome) !== null)).toEqual([]);
    expect(matrix.failed).toBe(0);
  });

  test("with the lease the guest runs on exactly one host, which then holds the lease alone", () => {
    for (const outcome of those(({ lease }) => lease)) {
      expect(outcome).toMatchObject({ runners: 1, doubled: false, heldAlone: true });
      expect(outcome.wrote).toEqual(outcome.ran);
      expect(outcome.ran).toEqual([outcome.continues === "source" ? "source" : "destination"]);
      expect(outcome.stoppedBy).toBe(outcome.continues === "destination" ? null : "lease");
    }
  });

  test("without it two guests write to one disk wherever QEMU does not lock it", () => {
    const doubled = those(({ doubled }) => doubled);
    expect(namesOf(doubled)).toEqual(["nfs both", "nfs third", "iscsi both", "iscsi third"]);
    for (const { marks, continues } of doubled) {
      const [, first, second] = marks;
      for (const host of ["destination", continues === "both" ? "source" : "third"] as const)
        expect(second?.[host]).toBeGreaterThan(first?.[host] ?? NaN);
    }
  });

  test("on a file the image lock stops the second, even when it is the one with the guest's memory", () => {
    const stopped = those(({ disk, lease, stoppedBy }) => disk === "file" && !lease && stoppedBy !== null);
    expect(stopped).toMatchObject([
      { continues: "both", ran: ["destination"], stopped: [{ host: "source", by: "image lock" }] },
      { continues: "third", ran: ["third"], stopped: [{ host: "destination", by: "image lock" }] },
    ]);
  });

  test("nothing of it is left", async () => {
    expect((await readdir("/var/tmp")).filter((name) => name.startsWith("godwit-split-brain-"))).toEqual([]);
    const { stdout } = await run("ip", ["netns", "list"], { what: "looking for namespaces" });
    expect(stdout).not.toContain("gw-split-");
    expect(await childrenOf(process.pid)).toEqual([]);
  });
});

describeWith("two hosts that race for one VM", reason, () => {
  test("exactly one of them runs it, each time", async () => {
    const result = await race("file", 20);
    expect(result).toMatchObject({ tries: 20, wrong: [], grants: 20 });
    expect(isAsItMustBe(result)).toBe(true);
    expect((result.won["source"] ?? 0) + (result.won["destination"] ?? 0)).toBe(20);
    // One that nobody or both ran, or a grant that was not asked for, is not.
    for (const other of [{ wrong: [{ try: 0, ran: [], refusals: [] }] }, { grants: 21 }, { tries: 0 }])
      expect(isAsItMustBe({ ...result, ...other })).toBe(false);
  });
});

test("a cell that ran twice under the lease, or not twice where it must without, counts as failed", () => {
  const marks = { source: 0, destination: 0, third: 0 };
  const twice: Outcome = {
    ...{ disk: "nfs", continues: "both", lease: true, ran: ["source", "destination"], runners: 2 },
    ...{ wrote: ["source", "destination"], doubled: true, stoppedBy: null, stopped: [] },
    ...{ marks: [marks, marks, marks], heldAlone: false, seconds: 1 },
  };
  expect(failureOf(twice)).toBe("twice-under-lease");
  expect(failureOf({ ...twice, lease: false, heldAlone: null })).toBeNull();
  const once: Outcome = { ...twice, ran: ["source"], wrote: ["source"], runners: 1, doubled: false };
  expect(failureOf({ ...once, heldAlone: true })).toBeNull();
  expect(failureOf(once)).toBe("lease-not-alone");
  expect(failureOf({ ...once, lease: false, heldAlone: null })).toBe("not-twice-without-lease");
  expect(failureOf({ ...once, wrote: ["source", "destination"] })).toBe("disk-disagrees");
});

/** Names of the programs that this process has started and that still run. */
async function childrenOf(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${String(pid)}/task/${String(pid)}/children`, "utf8");
  const pids = text.split(" ").filter((word) => word !== "");
  const names = pids.map((child) => readFile(`/proc/${child}/comm`, "utf8").catch(() => ""));
  return (await Promise.all(names)).filter((name) => /qemu|sanlock|ganesha|tgtd|rpcbind/.test(name));
}
