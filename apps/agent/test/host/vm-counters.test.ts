/** What the kernel counts of a VM's QEMU: from its files' text, and from a real process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { VmId } from "@godwit/contract";
import { tapName } from "@godwit/network";
import { until } from "@godwit/system";
import { expect, test } from "vitest";
import {
  bytesOfDevices,
  isVcpuThread,
  networkBytes,
  storageBytes,
  VmCounterReader,
  waitedNs,
} from "../../src/host/vm-counters.ts";

const id = "22222222-2222-4222-8222-222222222222" as VmId;

test("what the kernel's files say, and what they do not", () => {
  expect(waitedNs("123456 789 10\n")).toBe(789);
  expect([waitedNs(""), waitedNs("x y z")]).toEqual([null, null]);
  expect(
    ["CPU 0/KVM", "CPU 12/TCG", "ALL CPUs/TCG", "qemu-system-x86", "IO iothread0"].map(isVcpuThread),
  ).toEqual([...[true, true, true, false, false]]);
  const io =
    "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 1\n";
  expect(storageBytes(io)).toEqual({ readBytes: 4096, writtenBytes: 8192 });
  expect(storageBytes("")).toEqual({ readBytes: null, writtenBytes: null });
});

test("a guest has sent what its taps received, over all its interfaces, and of no other VM", () => {
  const line = (name: string, received: number, sent: number) =>
    `  ${name}: ${String(received)} 1 0 0 0 0 0 0 ${String(sent)} 2 0 0 0 0 0 0`;
  const text = [
    "Inter-|   Receive                                                |  Transmit",
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed",
    line("lo", 7, 7),
    line(tapName(id, 0), 100, 2000),
    line(tapName(id, 1), 10, 200),
    line("gwother", 5000, 5000),
  ].join("\n");
  expect(networkBytes(id, bytesOfDevices(text))).toEqual({ receivedBytes: 2200, sentBytes: 110 });
  expect(networkBytes(id, bytesOfDevices(""))).toEqual({ receivedBytes: null, sentBytes: null });
});

test("a vCPU's thread that must share its CPU has waited for it", async () => {
  // Perl names its thread as QEMU names one of a vCPU.
  const busy = ["-c", "0", "perl", "-e", '$0 = "CPU 0/KVM"; 1 while 1'];
  const children = [spawn("/usr/bin/taskset", busy), spawn("/usr/bin/taskset", busy)];
  try {
    const pid = children[0]?.pid ?? 0;
    const waited = await until(
      () => {
        // Each look finds the threads again: the first may come before Perl has named its own.
        const { readyNs } = new VmCounterReader().begin(new Set([pid]), 0)(id, pid);
        return Promise.resolve(readyNs !== null && readyNs > 1e8);
      },
      { everyMs: 50, limitMs: 60_000 },
    );
    expect(waited).toBe(true);
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
});

test("a process without vCPUs, and one that has ended, tell nothing of them", async () => {
  const child = spawn("sleep", ["60"]);
  const pid = child.pid ?? 0;
  const reader = new VmCounterReader();
  const of = reader.begin(new Set([pid]), 0);
  const now = of(id, pid);
  expect(now.readyNs).toBe(null);
  expect(now.readBytes).toBeGreaterThanOrEqual(0);
  child.kill();
  await once(child, "exit");
  expect(reader.begin(new Set([pid]), 1000)(id, pid)).toMatchObject({ readyNs: null, readBytes: null });
});
