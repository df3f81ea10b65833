/** What fails the rack's story: what it measured says so, and nothing else. */
import { expect, test } from "vitest";
import { failuresOf, type StoryResult } from "../story/result.ts";

const move = {
  from: "a",
  to: "b",
  accelerator: "kvm",
  passes: 3,
  pauseMs: 149,
  bytes: 80_000_000,
  totalMs: 2200,
  attempts: 1,
  lost: 0,
  acknowledged: 1000,
  writeGapMs: 200,
  clockAheadMs: -12,
};
const { accelerator: _, attempts: __, clockAheadMs: ___, ...ofWay } = move;
const way = { ...ofWay, way: "backed-out", ended: "succeeded", backOuts: 1, problems: [] } as const;
const cell = {
  fault: "source-power-cut",
  phase: "copying",
  outcome: "dead-host",
  runners: 1,
  lost: 0,
  sentence: "",
  seconds: 200,
  problems: [],
} as const;
const good: StoryResult = {
  servers: [],
  storage: ["NFS 4.2 of Linux's server"],
  moves: [move],
  ways: [{ ...way, problems: [] }],
  cells: [{ ...cell, problems: [] }],
  fencing: [],
  takeovers: [],
  upgrade: null,
  evc: null,
  tagged: null,
  bond: null,
  cpuLimit: [],
  appArmor: null,
  memoryGrowth: null,
  withoutKvm: null,
  seconds: { install: 1, untilVm: 2, whole: 3 },
  cpuid: "",
  brokeOff: null,
  failed: 0,
};

test("a story in which all held has no failures", () => {
  expect(failuresOf(good)).toEqual([]);
});

test("a move that was not under KVM, lost writes and a VM on two hosts fail it", () => {
  const failures = failuresOf({
    moves: [{ ...move, accelerator: "tcg", lost: 2, clockAheadMs: -3500 }],
    ways: [{ ...way, lost: 3, problems: ["no switch was undone"] }],
    cells: [{ ...cell, runners: 2, lost: 1, problems: ["the inventory says otherwise"] }],
    fencing: [
      {
        fault: "storage-cut",
        endedAfterSeconds: null,
        resetAfterSeconds: null,
        startedAfterSeconds: 140,
        lost: 0,
        problems: ["it was started while it ran on its host"],
      },
    ],
    takeovers: [
      {
        ...{ fault: "frozen", endedAfterSeconds: null, startedAfterSeconds: 70, refused: 0, runners: 1 },
        ...{ lost: 8, acknowledged: 100, problems: ["the storage refused nothing of the host"] },
      },
    ],
    upgrade: {
      ...{ from: "0.0.9-1", to: "0.1.0-1", seconds: 100, lost: 0, acknowledged: 10, writeGapMs: 1 },
      moves: [{ ...move, to: "d", lost: 5 }],
      problems: ["the VM's QEMU is another process"],
    },
    evc: {
      ...{ mode: "amd-zen", processors: {}, refusals: [], poolRefusals: [] },
      problems: ["it was moved to a, whose processor has less"],
    },
    tagged: {
      ...{ vlan: 30, moves: [{ ...move, to: "c", lost: 4 }], problems: ["it answers in VLAN 31"] },
    },
    bond: {
      ...{ moves: [{ ...move, to: "g", lost: 9 }], degradedAfterSeconds: null, lost: 0, acknowledged: 1 },
      problems: ["there is no alarm of the bond"],
    },
    cpuLimit: ["without a limit it has 0.5"],
    appArmor: { moves: [{ ...move, to: "e", lost: 6 }], problems: ["on a QEMU is under unconfined"] },
    memoryGrowth: {
      ...{ guestKib: [], kept: null, moves: [{ ...move, to: "f", lost: 7 }] },
      problems: ["after the move to b 3 pages are not what was written"],
    },
    withoutKvm: { host: "b", refusals: [], problems: ["a move to b was started"] },
    brokeOff: "task 1 did not end",
  });
  expect(failures).toEqual([
    "the move from a to b was under tcg, not under KVM",
    "the move from a to b lost 2 writes",
    "after the move from a to b the guest's clock was -3500 ms ahead",
    "the move from a to d lost 5 writes",
    "the move from a to c lost 4 writes",
    "the move from a to g lost 9 writes",
    "the move from a to e lost 6 writes",
    "the move from a to f lost 7 writes",
    "backed-out: no switch was undone",
    "backed-out: 3 writes are lost",
    "source-power-cut in copying: the inventory says otherwise",
    "source-power-cut in copying: the VM ran on 2 hosts",
    "source-power-cut in copying: 1 writes are lost",
    "storage-cut: it was started while it ran on its host",
    "frozen: the storage refused nothing of the host",
    "frozen: 8 writes are lost",
    "upgrade: the VM's QEMU is another process",
    "evc: it was moved to a, whose processor has less",
    "tagged: it answers in VLAN 31",
    "bond: there is no alarm of the bond",
    "CPU limit: without a limit it has 0.5",
    "AppArmor: on a QEMU is under unconfined",
    "added memory: after the move to b 3 pages are not what was written",
    "without KVM: a move to b was started",
    "the story broke off: task 1 did not end",
  ]);
});
