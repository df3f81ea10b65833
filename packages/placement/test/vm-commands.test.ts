/**
 * Every command in every state: from each a way leads to a VM that runs or is stopped, or that has left the inventory.
 * The server's part is decided by `decideVmCommand`; leases and hosts are modelled here as they behave.
 */
import { vmStateSchema, type VmState } from "@godwit/contract";
import { expect, test } from "vitest";
import { decideVmCommand, type Home, type VmCommand } from "../src/index.ts";

interface State {
  vm: VmState | "gone";
  home: Home;
  /** Who holds the VM's lease: the host that it is said to be on, another, or nobody. */
  holder: "home" | "other" | "none";
  /** The QEMU process of a VM that its agent found not to answer, or whose record is broken. */
  setAside: boolean;
  /** Whether another host than its own sees the VM's folder. */
  shared: boolean;
  /** A task keeps it busy. */
  busy: boolean;
}

const states: State[] = vmStateSchema.options.flatMap((vm) =>
  (["connected", "silent", "removed"] as const).flatMap((home) =>
    (["home", "other", "none"] as const).flatMap((holder) =>
      [true, false].flatMap((setAside) =>
        [true, false].flatMap((shared) =>
          [true, false].map((busy) => ({ vm, home, holder, setAside, shared, busy })),
        ),
      ),
    ),
  ),
);

/** What users do with commands. A refused one leads nowhere. */
const commands: Record<string, (state: State) => State | null> = {
  start: (state) => started(state, false),
  "start --host": (state) => started(state, true),
  stop: (state) => {
    if (state.busy || state.setAside || decided("stop", state) !== "home") return null;
    return { ...state, vm: "stopped", holder: state.holder === "home" ? "none" : state.holder };
  },
  delete: (state) => {
    const on = decided("delete", state);
    if (state.busy || state.setAside) return null;
    if (on === "other" ? !state.shared : on !== "home") return null;
    return mayTake(state, on === "other") ? { ...state, vm: "gone" } : null;
  },
  unregister: (state) =>
    !state.busy && decided("unregister", state) === "inventory" && (state.shared || state.holder === "none")
      ? { ...state, vm: "gone" }
      : null,
  // Only of a host that does not renew.
  "lease break": (state) =>
    state.holder === "home" && state.home === "silent"
      ? { ...state, holder: "none", vm: state.vm === "stopped" ? "stopped" : "lost" }
      : null,
  "task cancel": (state) => (state.busy ? { ...state, busy: false } : null),
};

/** What the remedies ask of people beside commands. */
const deeds: Record<string, (state: State) => State | null> = {
  "bring the host back": (state) =>
    state.home === "silent" ? reported({ ...state, home: "connected" }) : null,
  "join the host again": (state) =>
    state.home === "removed" ? reported({ ...state, home: "connected" }) : null,
  // Its lease runs out.
  "power the host off": (state) => {
    const holder = state.holder === "home" ? ("none" as const) : state.holder;
    return state.home === "removed" ? { ...state, holder, setAside: false } : null;
  },
  // Its lease goes with it, and the agent that starts again finds nothing.
  "end the QEMU process, restart the agent": (state) =>
    state.setAside && state.home === "connected" && state.vm !== "gone"
      ? { ...state, setAside: false, holder: state.holder === "home" ? "none" : state.holder, vm: "lost" }
      : null,
};

/** A host that answers says what it runs: what was believed and is not so is set right without a command. */
function reported(state: State): State {
  if (state.home !== "connected" || state.busy || state.setAside || state.vm === "gone") return state;
  if (state.holder === "home") return { ...state, vm: "running" };
  if (state.holder === "other") return { ...state, vm: "running", holder: "home" }; // that host reports it
  const active = state.vm !== "stopped" && state.vm !== "lost";
  return active ? { ...state, vm: "lost" } : state;
}

const decided = (command: VmCommand, { vm, home }: State, namesAnother = false) =>
  vm === "gone" ? null : decideVmCommand(command, { state: vm, home, namesAnother });

const mayTake = ({ holder }: State, elsewhere: boolean): boolean =>
  holder === "none" || (holder === "home" && !elsewhere);

function started(state: State, namesAnother: boolean): State | null {
  const on = decided("start", state, namesAnother);
  const elsewhere = on === "named" || on === "other";
  if (on === null || (on !== "home" && !elsewhere) || state.busy) return null;
  if (elsewhere ? !state.shared : state.setAside) return null;
  if (!mayTake(state, elsewhere)) return null;
  return { ...state, home: "connected", holder: "home", setAside: false, vm: "running" };
}

const isGood = ({ vm, busy }: State): boolean =>
  (vm === "running" || vm === "stopped" || vm === "gone") && !busy;
/** Nothing of it keeps an operator from what they may want next. */
const isUsable = (state: State): boolean =>
  isGood(state) && state.home === "connected" && !state.setAside && state.holder !== "other";

function reach(
  from: State,
  steps: Record<string, (state: State) => State | null>,
  fits: (state: State) => boolean,
) {
  const seen = new Map<string, State>([[JSON.stringify(from), from]]);
  for (const state of seen.values()) {
    if (fits(state)) return true;
    for (const step of Object.values(steps)) {
      const next = step(state);
      if (next !== null) seen.set(JSON.stringify(reported(next)), reported(next));
    }
  }
  return false;
}

const told = (found: readonly State[]): string[] => found.map((state) => JSON.stringify(state));

test("from every state a way leads to a VM that can be used, or that is gone", () => {
  const ends = (state: State) => isUsable(state) || state.vm === "gone";
  const stuck = states.filter((state) => !reach(reported(state), { ...commands, ...deeds }, ends));
  expect(states).toHaveLength(504);
  expect(told(stuck)).toEqual([]);
});

test("with commands alone: of a host that answers, and of one that is removed and off", () => {
  const simple = states
    .filter(
      ({ setAside, home, holder }) =>
        !setAside && (home === "connected" || (home === "removed" && holder === "none")),
    )
    .map(reported);
  const stuck = simple.filter((state) => !reach(state, commands, isGood));
  expect(told(stuck)).toEqual([]);
});

test("a silent host's VM starts elsewhere once its lease is broken, and no sooner", () => {
  const state: State = {
    vm: "running",
    home: "silent",
    holder: "home",
    setAside: false,
    shared: true,
    busy: false,
  };
  expect(commands["start --host"]?.(state)).toBeNull();
  const broken = commands["lease break"]?.(state);
  expect(broken).toMatchObject({ vm: "lost", holder: "none" });
  expect(commands["start --host"]?.(broken as State)).toMatchObject({ vm: "running", home: "connected" });
});

test("no command ends or starts a VM beside one that its host runs", () => {
  for (const vm of vmStateSchema.options.filter((one) => one !== "stopped" && one !== "lost")) {
    for (const home of ["connected", "silent"] as const) {
      expect(decideVmCommand("delete", { state: vm, home })).toBe("VM_RUNNING");
      expect(decideVmCommand("unregister", { state: vm, home })).toBe("VM_RUNNING");
    }
    expect(decideVmCommand("start", { state: vm, home: "connected", namesAnother: true })).toBe("VM_RUNNING");
  }
});
