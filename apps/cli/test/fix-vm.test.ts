/** `vm check --fix`: nothing is changed that was not shown and wished, and a change that fails is told. */
import { finding, problemOfUnexpected, type MoveFix, type Problem } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { fixesOf } from "@godwit/requirements";
import { afterEach, beforeEach, expect, test, vi, type MockInstance } from "vitest";
import type { Api } from "../src/connection.ts";
import { fixVm } from "../src/fix-vm.ts";

const medium = { datastore: "local", path: "tools.iso" };
const drive = { vm: "web-1", drive: "cd0", host: "a", ...medium };
const findings = [
  finding("CDROM_HOST_LOCAL", { ...drive, connected: true }),
  finding("CDROM_HOST_LOCAL", { ...drive, drive: "cd1", connected: false }, "warning"),
  finding("VM_CPU_AFFINITY", { vm: "web-1", host: "a", cpus: [0, 2] }),
];
const checked = (fixes: MoveFix[]) => ({
  ...{ vm: "web-1", from: "a", to: "b", allowed: false, findings, fixes },
});

/** A server that makes each change, or fails with a problem. */
function serverOf(error: Problem | null): { api: Api; changes: unknown[] } {
  const changes: unknown[] = [];
  const task = { id: "1", kind: "vm.configure", state: "succeeded", steps: [], error, waitingFor: null };
  const api = {
    call: (operation: string, { body }: { body?: unknown }) => {
      if (operation === "vmSet") changes.push(body);
      return Promise.resolve({ ...task, subject: { name: "web-1" }, endedAt: "2026-01-01T00:00:00Z" });
    },
    follow: async function* (_: string, { onOpen }: { onOpen: () => void }) {
      onOpen();
      await Promise.resolve();
      yield* [];
    },
  };
  return { api: api as unknown as Api, changes };
}

let written: MockInstance;
beforeEach(() => {
  written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
});
afterEach(() => {
  written.mockRestore();
});
const said = (): string => written.mock.calls.map(([words]) => String(words)).join("");

test("what forbids the move is fixed, what only warns is left", async () => {
  const fixes = fixesOf([...findings, ...findings]);
  expect(fixes.map(({ changes }) => changes)).toEqual([
    { cdrom: { name: "cd0", connected: false } },
    { cpuAffinity: null },
  ]);
  const { api, changes } = serverOf(null);
  expect(await fixVm(api, checked(fixes), { yes: true })).toBe(true);
  expect(changes).toEqual(fixes.map((fix) => fix.changes));
  for (const { sentence } of fixes) expect(said()).toContain(sentence);
});

test("without a terminal and without --yes nothing is changed", async () => {
  const { api, changes } = serverOf(null);
  const refused = await fixVm(api, checked(fixesOf(findings)), { yes: false }).catch(
    (error: unknown) => error,
  );
  expect(GodwitError.is(refused, "USAGE")).toBe(true);
  expect(changes).toEqual([]);
});

test("where nothing can be fixed, or nothing must, nothing is changed", async () => {
  const { api, changes } = serverOf(null);
  expect(await fixVm(api, checked([]), { yes: true })).toBe(false);
  expect(await fixVm(api, { ...checked(fixesOf(findings)), allowed: true }, { yes: true })).toBe(false);
  expect(changes).toEqual([]);
});

test("a change that fails is the error, and no other is tried", async () => {
  const { api, changes } = serverOf(problemOfUnexpected(new Error("no"), "r"));
  await expect(fixVm(api, checked(fixesOf(findings)), { yes: true })).rejects.toThrow(GodwitError);
  expect(changes).toHaveLength(1);
});
