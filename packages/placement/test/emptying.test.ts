/** A host that is being emptied: what its task shows, which VMs still move, and how it tells its end. */
import { finding, type CannotMove, type Finding, type VmView } from "@godwit/contract";
import { expect, test } from "vitest";
import {
  cancelledProblem,
  incompleteProblem,
  moversOf,
  notStopped,
  stepsOf,
  timedOutProblem,
  type MoveTask,
  type Standing,
} from "../src/index.ts";
import type { StopTask } from "../src/emptying.ts";

const at = "2026-11-29T12:00:00.000Z";
const vmOf = (name: string, state: VmView["state"] = "running"): VmView =>
  ({ id: name, name, host: "a", state }) as VmView;
const part = (kind: string, name: string, state: string, o: object = {}) => ({
  ...{ kind, id: `${kind} ${name}`, subject: { kind: "vm", id: name, name }, state, error: null },
  ...{ createdAt: at, endedAt: state === "running" ? null : at, request: { to: "b" }, waitingFor: null },
  ...o,
});
const stop = (name: string, state: string, o: object = {}) =>
  part("vm.stop", name, state, o) as unknown as StopTask;
const move = (name: string, state: string) =>
  part("vm.migrate", name, state, { phase: null, progress: null }) as unknown as MoveTask;
const standing = (o: Partial<Standing>): Standing => ({
  ...{ cancelling: false, moves: [], stops: [], here: [], awaited: [] },
  ...o,
});
const why: Finding = { ...finding("DESTINATION_NONE", { host: "a", vm: "db" }), vm: "db" };
const none = new Map<string, never>();
const always = (choice: CannotMove | null) => () => choice;
const names = (of: ReturnType<typeof moversOf>) => of.map(({ vm }) => vm.name);

test("a VM that was shut down stays; one that is being shut down, or runs again, is no other's business", () => {
  const here = [vmOf("off", "stopped"), vmOf("cold", "stopped"), vmOf("going"), vmOf("again")];
  const stops = [stop("off", "succeeded"), stop("going", "running"), stop("again", "succeeded")];
  expect(names(moversOf(standing({ here, stops }), none))).toEqual(["cold", "again"]);
});

test("its steps name what is waited for, left and shut down", () => {
  const stuck = new Map([["db", [why]]]);
  const steps = (choice: CannotMove | null, state: VmView["state"] = "running") =>
    stepsOf(standing({ here: [vmOf("db", state), vmOf("web")] }), stuck, at, always(choice)).map(
      (step) => `${step.key} ${step.state}: ${step.name}`,
    );
  expect(steps("wait")).toEqual(["wait running: wait for db, which cannot move"]);
  expect(steps("leave")).toEqual(["leave done: leave db, which cannot move"]);
  expect([steps("shut-down"), steps(null)]).toEqual([[], []]);
  expect(steps("wait", "stopped")).toEqual(["leave done: leave db, which is stopped"]);
  const shown = stepsOf(standing({ stops: [stop("db", "running")] }), none, at, always(null));
  expect(shown).toMatchObject([{ key: "shutDown", state: "running", task: "vm.stop db" }]);
});

test("a shutdown is asked for again where that may help, and then given up with its reason", () => {
  const later = { error: { retry: "later", code: "HOST_UNREACHABLE" } };
  const never = { error: { retry: "never", code: "VM_UNKNOWN" } };
  const failed = (count: number, o: object) =>
    standing({ here: [vmOf("db")], stops: Array.from({ length: count }, () => stop("db", "failed", o)) });
  expect(notStopped(failed(2, later)).size).toBe(0);
  expect(notStopped(failed(3, later)).size).toBe(1);
  expect(notStopped(failed(1, never)).size).toBe(1);
  expect(notStopped({ ...failed(3, later), here: [vmOf("db", "stopped")] }).size).toBe(0);
});

test("with its time over it names each VM that is left, with what kept it", () => {
  const now = standing({
    here: [vmOf("db"), vmOf("web"), vmOf("off", "stopped")],
    stops: [stop("off", "succeeded")],
    moves: [move("mail", "succeeded")],
  });
  const { code, detail, findings = [] } = timedOutProblem("a", at, now, none, new Map([["db", [why]]]));
  expect(code).toBe("MAINTENANCE_TIMED_OUT");
  expect(detail).toBe(
    `Host a was not empty by ${at}: it still runs 2 VMs, db, web; mail had been moved, off had been stopped. The host takes VMs again.`,
  );
  expect(findings.map((one) => `${one.vm ?? ""} ${one.code}`)).toEqual([
    ...["db DESTINATION_NONE", "web MAINTENANCE_NO_TIME_LEFT"],
  ]);
});

test("cancelled it tells what is off, and that exit starts it", () => {
  const now = standing({ here: [vmOf("db"), vmOf("off", "stopped")], stops: [stop("off", "succeeded")] });
  const { detail, remedy } = cancelledProblem("a", now);
  expect(detail).toContain("db stayed, off had been stopped.");
  expect(remedy).toContain("godwit host maintenance exit a");
  expect(cancelledProblem("a", standing({})).remedy).toBe("Nothing needs to be done.");
});

test("no VM that keeps it from maintenance is no problem", () => {
  expect(incompleteProblem("a", [], none, none)).toBe(null);
  const { code, findings } = incompleteProblem("a", [vmOf("db")], none, new Map([["db", [why]]])) ?? {};
  expect([code, findings?.[0]?.code]).toEqual(["MAINTENANCE_INCOMPLETE", "DESTINATION_NONE"]);
});
