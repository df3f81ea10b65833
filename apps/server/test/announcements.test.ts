/** VMs that the host which they left has not learned: announced again where they run, a few times. */
import type { HostLoad, VmId } from "@godwit/contract";
import fc from "fast-check";
import { pino } from "pino";
import { expect, test } from "vitest";
import { Announcements, type AnnouncementsParts } from "../src/hosts/announcements.ts";

const id = "22222222-2222-4222-8222-222222222222" as VmId;
const unlearned = (to: string): HostLoad["unlearnedMacs"] =>
  ["52:54:00:00:00:01", "52:54:00:00:00:02"].map((mac) => ({
    ...{ id, mac, portGroup: "office", to, since: "2026-11-25T00:00:00Z" },
  }));

function cluster() {
  const world = {
    nowMs: 1_000_000,
    host: "b",
    state: "running",
    abilities: ["announce"],
    isUp: true,
    announced: [] as string[],
    fails: false,
  };
  const link = (host: string) => ({
    get isUp() {
      return world.isUp;
    },
    agent: {
      call: () => {
        world.announced.push(host);
        return world.fails ? Promise.reject(new Error("VM_BUSY")) : Promise.resolve({ announced: [] });
      },
    },
  });
  const parts = {
    links: new Map(["a", "b", "c"].map((host) => [host, link(host)])),
    store: {
      vms: { some: async () => [{ id, name: "web-1", host: world.host, state: world.state }] },
      hosts: { show: async (name: string) => ({ name, facts: { abilities: world.abilities } }) },
    },
    log: pino({ level: "silent" }),
    nowMs: () => world.nowMs,
  } as unknown as AnnouncementsParts;
  const announcements = new Announcements(parts);
  const report = async (afterSeconds: number, to: string | null) => {
    world.nowMs += afterSeconds * 1000;
    await announcements.take({ name: "a", ...(to === null ? {} : { unlearnedMacs: unlearned(to) }) });
    return world.announced.splice(0);
  };
  return { world, report };
}

test("it is announced at once by the host that it is on, and then more and more seldom, however often reports come", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60 }), async (gaps) => {
      const { report } = cluster();
      expect(await report(0, "b")).toEqual(["b"]);
      const pauses: number[] = [];
      let pause = 0;
      for (const gap of gaps) {
        pause += gap;
        if ((await report(gap, "b")).length === 0) continue;
        pauses.push(pause);
        pause = 0;
      }
      expect(pauses.length).toBeLessThanOrEqual(4);
      const least = [10, 30, 120, 600];
      expect(pauses.every((seconds, index) => seconds >= (least[index] ?? Infinity))).toBe(true);
    }),
  );
});

test("a VM that does not run there, a host that is down or cannot: nothing is sent; what failed is tried again", async () => {
  const { world, report } = cluster();
  world.host = "c";
  expect(await report(0, "b")).toEqual([]);
  expect(await report(0, null)).toEqual([]);
  world.host = "b";
  world.state = "stopped";
  expect(await report(0, "b")).toEqual([]);
  await report(0, null);
  world.state = "running";
  world.abilities = [];
  expect(await report(0, "b")).toEqual([]);
  await report(0, null);
  world.abilities = ["announce"];
  world.isUp = false;
  expect(await report(0, "b")).toEqual([]);
  await report(0, null);
  Object.assign(world, { isUp: true, fails: true });
  expect(await report(0, "b")).toEqual(["b"]);
  world.fails = false;
  expect(await report(5, "b")).toEqual([]);
  expect(await report(10, "b")).toEqual(["b"]);
  // It has been learned and has moved on: the next move counts for itself.
  await report(0, null);
  world.host = "c";
  expect(await report(0, "c")).toEqual(["c"]);
});
