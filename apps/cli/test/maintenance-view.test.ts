/** What a maintenance would do, as people read it. */
import type { MaintenancePlan, PlannedVm, Task } from "@godwit/contract";
import { finding } from "@godwit/contract";
import { expect, test } from "vitest";
import { emptiedSummary, maintenancePlanText } from "../src/output/maintenance-view.ts";

const ms = (p50: number) => ({ p10: p50 / 2, p50, p90: p50 * 2 });
const planned = (vm: string, action: PlannedVm["action"], o: Partial<PlannedVm> = {}): PlannedVm => ({
  ...{ vm, action, to: null, forecast: null, findings: [] },
  ...o,
});
const plan = (vms: PlannedVm[], o: Partial<MaintenancePlan> = {}): string =>
  maintenancePlanText({ host: "a", vms, totalMs: null, deadline: null, ...o });

test("order, destinations, forecasts, and the deadline", () => {
  const text = plan(
    [
      planned("db", "move", { to: "b", forecast: { totalMs: ms(4000), pauseMs: ms(40) } }),
      planned("web", "move", { to: "c" }),
      planned("cold", "relocate", { to: "b" }),
      planned("copy", "busy"),
    ],
    { deadline: { seconds: 1800, met: "unknown" } },
  );
  expect(text.split("\n")).toEqual([
    "VM    WHAT                                       TIME                       OUTAGE",
    "db    moves to b                                 4.00 s (2.00 s to 8.00 s)  40.0 ms (20.0 ms to 80.0 ms)",
    "web   moves to c                                 not known                  not known",
    "cold  is stopped; is assigned to b",
    "copy  has a task under way, which is waited for",
    "All moves together: not known.",
    "The deadline of 30 min 0 s may or may not be met: not all that must happen can be foretold.",
  ]);
});

test("what cannot move is shown with the reason, and with the choices where there is none yet", () => {
  const findings = [finding("DESTINATION_NONE", { host: "a", vm: "db" })];
  const refused = plan([planned("db", "refuse", { findings })]);
  expect(refused).toContain("cannot move: the maintenance would be refused");
  expect(refused).toContain("✗ db: There is no host beside a that VM db could move to.");
  expect(refused).toContain("--cannot-move wait, shut-down, suspend or leave");
  const chosen = plan([planned("db", "shut-down", { findings })]);
  expect(chosen).toContain("it is shut down when the others are away");
  expect(chosen).not.toContain("--cannot-move");
  expect(plan([])).toBe("Host a has no VMs: it would be in maintenance at once.");
});

test("in the end each VM stands with what became of it", () => {
  const step = (key: string, name: string, detail: string | null) => ({
    ...{ key, name, detail, state: "done", startedAt: "", endedAt: "" },
    subject: { kind: "vm", id: "x", name: "db" },
  });
  const text = emptiedSummary({
    ...{ kind: "host.enterMaintenance", subject: { kind: "host", id: "a", name: "a" } },
    result: { moved: [], stayed: [] },
    steps: [
      step("move", "move db", "to b"),
      step("relocate", "change the host of db", "to b"),
      step("suspend", "suspend db, which cannot move", null),
      step("leave", "leave db, which is stopped", "It is on a datastore of a."),
      { ...step("closeHost", "take no VMs", null), state: "running" },
    ],
  } as unknown as Task);
  expect(text.split("\n")).toEqual([
    "Host a is in maintenance: it has no running VMs and takes none.",
    "  db moved to b",
    "  db, which is stopped, was assigned to b",
    "  db, which cannot move, was suspended to disk; the end of the maintenance lets its guest go on",
    "  leave db, which is stopped: It is on a datastore of a.",
    "End it with: godwit host maintenance exit a",
  ]);
});
