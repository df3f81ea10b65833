/** VMs that cannot move: no guest is shut down for a maintenance that does not come, and none is forgotten at its end. */
import type { CannotMove, Task, TaskId, VmView } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { choiceFor, isOffSince, restOf } from "../src/cannot-move.ts";

const vmOf = (name: string, state: VmView["state"] = "running"): VmView =>
  ({ id: name, name, host: "a", state }) as VmView;
const none = new Map<string, unknown>();
const choices = ["wait", "shut-down", "suspend", "leave"] as const;
const stops = (choice: CannotMove | null) => choice === "shut-down" || choice === "suspend";

test("what was chosen for one VM goes before what was chosen for all", () => {
  const asked = { cannotMove: "wait" as const, vms: [{ id: "db", cannotMove: "leave" as const }] };
  expect([choiceFor(asked, { id: "db" }), choiceFor(asked, { id: "web" })]).toEqual(["leave", "wait"]);
  expect(choiceFor({}, { id: "db" })).toBe(null);
});

test("those to be shut down are last, and those that are left keep nobody waiting", () => {
  const of = (...given: CannotMove[]) => ({
    here: given.map((_, index) => vmOf(`vm-${String(index)}`)),
    asked: { vms: given.map((cannotMove, index) => ({ id: `vm-${String(index)}`, cannotMove })) },
  });
  const rest = ({ here, asked }: ReturnType<typeof of>, failed = none) => restOf(here, asked, failed);
  expect(rest(of("shut-down", "wait")).do).toBe("wait");
  expect(rest(of("shut-down", "leave"))).toMatchObject({ do: "stop", vms: [{ name: "vm-0" }] });
  expect(rest(of("leave", "suspend"))).toMatchObject({ do: "stop", vms: [{ name: "vm-1" }] });
  expect(rest(of("leave"))).toMatchObject({ do: "end", running: [{ name: "vm-0" }] });
  expect(rest(of("shut-down", "leave"), new Map([["vm-0", "why"]]))).toMatchObject({ do: "fail" });
  expect(restOf([vmOf("off", "stopped")], {}, none)).toEqual({ do: "end", running: [] });
});

test("with any choice: nothing is shut down while a VM has no choice, could not be shut down, or is waited for", () => {
  const vms = fc.array(
    fc.record({
      choice: fc.option(fc.constantFrom(...choices), { nil: null }),
      runs: fc.boolean(),
      failed: fc.boolean(),
    }),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(vms, (given) => {
      const id = (index: number) => `vm-${String(index)}`;
      const here = given.map(({ runs }, index) => vmOf(id(index), runs ? "running" : "stopped"));
      const asked = {
        vms: given.flatMap(({ choice }, index) =>
          choice === null ? [] : [{ id: id(index), cannotMove: choice }],
        ),
      };
      const failed = new Map(
        given.flatMap((one, index) => (one.failed ? [[id(index), "why"] as const] : [])),
      );
      const rest = restOf(here, asked, failed);
      const running = given.filter(({ runs }) => runs);
      if (rest.do === "stop") {
        expect(running.every(({ choice }) => stops(choice) || choice === "leave")).toBe(true);
        expect(running.every((one) => !stops(one.choice) || !one.failed)).toBe(true);
        expect(rest.vms.length).toBe(running.filter(({ choice }) => stops(choice)).length);
      }
      if (rest.do === "end") expect(running.every(({ choice }) => choice === "leave")).toBe(true);
    }),
  );
});

test("a VM is started again only where the maintenance shut it down and nobody has touched it since", () => {
  const by = "emptying" as TaskId;
  const at = (minute: number) => `2026-11-29T12:0${String(minute)}:00.000Z`;
  const stop = { parent: by, state: "succeeded", createdAt: at(2) } as Task;
  const start = (minute: number) => ({ state: "succeeded", createdAt: at(minute) }) as Task;
  const off = vmOf("web", "stopped");
  expect(isOffSince(off, by, { stop, start: null })).toBe(true);
  expect(isOffSince(off, by, { stop, start: start(1) })).toBe(true);
  expect(isOffSince(off, by, { stop, start: start(3) })).toBe(false);
  expect(isOffSince(vmOf("web"), by, { stop, start: null })).toBe(false);
  expect(isOffSince(off, by, { stop: { ...stop, parent: null }, start: null })).toBe(false);
  expect(isOffSince(off, by, { stop: { ...stop, state: "failed" }, start: null })).toBe(false);
  expect(isOffSince(off, by, { stop: null, start: null })).toBe(false);
});
