/** Waits end with what they wait for, with their time, or with their signal; and leave no timer behind. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { aborted, sleep, until, Wakeup, within } from "../src/index.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** Whether a promise has settled by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let yes = false;
  promise.then(
    () => (yes = true),
    () => (yes = true),
  );
  await vi.advanceTimersByTimeAsync(0);
  return yes;
}

test("a sleep ends after its time, and at once when its signal is aborted, also before it began", async () => {
  const plain = sleep(100);
  await vi.advanceTimersByTimeAsync(99);
  expect(await settled(plain)).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(await settled(plain)).toBe(true);

  const controller = new AbortController();
  const cut = sleep(100, controller.signal);
  expect(await settled(cut)).toBe(false);
  controller.abort();
  expect(await settled(cut)).toBe(true);
  expect(await settled(sleep(100, controller.signal))).toBe(true);
});

test("a wake-up that comes while nobody waits is not lost, and serves one wait", async () => {
  const wakeup = new Wakeup();
  wakeup.wake();
  expect(await wakeup.next()).toBe(true);
  const second = wakeup.next(50);
  expect(await settled(second)).toBe(false);
  await vi.advanceTimersByTimeAsync(50);
  expect(await second).toBe(false);
  const third = wakeup.next();
  expect(await settled(third)).toBe(false);
  wakeup.wake();
  expect(await third).toBe(true);
  const controller = new AbortController();
  const fourth = wakeup.next(50, controller.signal);
  controller.abort();
  expect(await fourth).toBe(false);
});

test("a condition is looked at until it holds, until its time is over, or until nobody waits any more", async () => {
  let looks = 0;
  const found = until(() => (++looks === 3 ? "it" : null), { everyMs: 10 });
  await vi.advanceTimersByTimeAsync(20);
  expect(await found).toBe("it");

  looks = 0;
  const late = until(() => ++looks > 100, { everyMs: 10, limitMs: 25 });
  await vi.advanceTimersByTimeAsync(30);
  expect(await late).toBeNull();
  expect(looks).toBe(4);

  const controller = new AbortController();
  const left = until(async () => false, { everyMs: 10, signal: controller.signal });
  await vi.advanceTimersByTimeAsync(15);
  controller.abort();
  expect(await left).toBeNull();
  await expect(
    until(
      () => {
        throw new Error("broken");
      },
      { everyMs: 10 },
    ),
  ).rejects.toThrow("broken");
});

test("a promise is waited for no longer than was said; what it fails with is passed on", async () => {
  expect(await within(Promise.resolve(7), 10)).toBe(7);
  await expect(within(Promise.reject(new Error("no")), 10)).rejects.toThrow("no");
  const never = within(new Promise(() => undefined), 10);
  await vi.advanceTimersByTimeAsync(10);
  expect(await never).toBeNull();
});

test("an aborted signal is told to those who wait and to those who come later", async () => {
  const controller = new AbortController();
  const waiting = aborted(controller.signal);
  expect(await settled(waiting)).toBe(false);
  controller.abort();
  expect(await settled(waiting)).toBe(true);
  expect(await settled(aborted(controller.signal))).toBe(true);
});
