/** What an agent has seen of guests that it watches; what it has not seen is no evidence. */
import type { VmId, VmState } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import { expect, test } from "vitest";
import { receivedBy } from "../src/host/guest-activity.ts";
import { GuestWatchers } from "../src/vms/guest-watchers.ts";

const id = "22222222-2222-4222-8222-222222222222" as VmId;
const process = (guestAgent = true) => ({ spec: { vm: { id, guestAgent } } }) as unknown as QemuProcess;

function watched() {
  const world = {
    process: process(),
    state: "running" as VmState,
    held: false,
    answers: true,
    done: 1 as number | null,
    nowMs: 1_000_000,
  };
  const watchers = new GuestWatchers({
    processes: { of: () => world.process, stateOf: () => world.state },
    claims: { isHeld: () => world.held },
    answers: () => Promise.resolve(world.answers),
    done: () => (world.done === null ? Promise.reject(new Error("no answer")) : Promise.resolve(world.done)),
    nowMs: () => world.nowMs,
  });
  /** A look every five seconds, each with a change of the world before it. */
  const pass = async (seconds: number, change: (second: number) => void = () => undefined) => {
    for (let second = 5; second <= seconds; second += 5) {
      world.nowMs += 5000;
      change(second);
      watchers.watch([id]);
      await watchers.look();
    }
    return watchers.watch([id])[0];
  };
  return { world, watchers, pass };
}

test("a guest that answered, and then neither answers nor does anything, is told of since then", async () => {
  const { world, watchers, pass } = watched();
  await pass(10, () => (world.done = (world.done ?? 0) + 1));
  world.answers = false;
  expect(await pass(30)).toEqual({
    ...{ id, hasAnswered: true, watchedSeconds: 35, silentSeconds: 25, idleSeconds: 30 },
  });
  expect(watchers.silentSinceMs(id)).toBe(world.nowMs - 25_000);
  world.answers = true;
  expect(await pass(5)).toMatchObject({ silentSeconds: null });
  expect(watchers.silentSinceMs(id)).toBeNull();
});

test("one that has never answered is not said to answer", async () => {
  const { world, watchers, pass } = watched();
  world.answers = false;
  expect(await pass(30)).toMatchObject({ hasAnswered: false });
  expect(watchers.silentSinceMs(id)).toBeUndefined();
  world.answers = true;
  await pass(5);
  expect(watchers.silentSinceMs(id)).toBeNull();
});

test("one that works though its agent is gone, or that cannot be counted, is not idle", async () => {
  const { world, pass } = watched();
  await pass(5);
  world.answers = false;
  expect(await pass(30, (second) => (world.done = second))).toMatchObject({
    silentSeconds: 25,
    idleSeconds: 0,
  });
  world.done = null;
  expect(await pass(5)).toMatchObject({ idleSeconds: null });
});

test.each<[string, (world: ReturnType<typeof watched>["world"]) => void]>([
  ["is paused", (world) => (world.state = "paused")],
  ["is worked on", (world) => (world.held = true)],
  ["has no guest agent", (world) => (world.process = process(false))],
])("of one that %s nothing is told, and what was seen before counts no more", async (_, change) => {
  const { world, pass } = watched();
  await pass(5);
  world.answers = false;
  await pass(60);
  change(world);
  expect(await pass(5)).toBeUndefined();
  Object.assign(world, { state: "running", held: false, process: process() });
  expect(await pass(10)).toMatchObject({ watchedSeconds: 5, hasAnswered: false });
});

test("a gap in the looks begins again, and so does a reset; that the agent had answered stays known", async () => {
  const { world, watchers, pass } = watched();
  await pass(5);
  world.answers = false;
  await pass(60);
  world.nowMs += 40_000;
  expect(await pass(10)).toMatchObject({ watchedSeconds: 5, silentSeconds: 5, hasAnswered: true });
  await pass(30);
  watchers.wasReset(id);
  expect(await pass(10)).toMatchObject({ watchedSeconds: 10, silentSeconds: 5, hasAnswered: true });
});

test("one that nobody asks for any more is not looked at", async () => {
  const { world, watchers, pass } = watched();
  await pass(5);
  world.nowMs += 61_000;
  await watchers.look();
  expect(watchers.silentSinceMs(id)).toBeUndefined();
});

test("packets that a tap received are those that the guest sent", () => {
  const devices = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    lo:     0       0    0    0    0     0          0         0        0       0    0
gwt-aa: 12345      67    0    0    0     0          0         0   999999    8888    0`;
  expect(receivedBy(devices, "gwt-aa")).toBe(67);
  expect(receivedBy(devices, "gwt-a")).toBe(0);
});
