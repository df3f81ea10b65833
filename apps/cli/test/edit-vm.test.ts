/** A VM's description in an editor: what is saved becomes changes, and what is wrong is shown all at once, with its lines. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { basisOf, conflictsOf, GodwitError, vmSchema, type Vm } from "@godwit/contract";
import fc from "fast-check";
import { parse } from "yaml";
import { expect, test } from "vitest";
import { documentOf, readEdit } from "../src/edit/document.ts";
import { editedVm } from "../src/edit/edit-vm.ts";
import { EditedFile, editorOf } from "../src/edit/editor.ts";

const config: Vm = vmSchema.parse({
  ...{ version: 2, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2" },
  disks: [{ name: "root", path: "web-1/root.qcow2", format: "qcow2" }],
  nics: [{ portGroup: "office", mac: "52:54:00:00:00:01" }],
  cdroms: [
    { name: "cd0", medium: { datastore: "library", path: "debian.iso" }, connected: true },
    { name: "cd1", medium: null, connected: false },
  ],
  ...{ cpuWish: { add: [], remove: ["rdrand"] }, tags: ["prod"], notes: "Ada's\nkeep: it" },
});
const vm = { config, runs: false };
const text = documentOf(vm);
const edit = (from: string | RegExp, to: string, runs = false) =>
  readEdit(text.replace(from, to), { config, runs });

test("what is shown reads back as no change, also with fields in another order", () => {
  expect(readEdit(text, vm)).toEqual({ edit: null });
  expect(text).toContain("notes: |-\n  Ada's\n  keep: it\n");
  const turned = Object.fromEntries(Object.entries(parse(text) as object).reverse());
  expect(readEdit(JSON.stringify(turned), vm)).toEqual({ edit: null });
});

test("notes and tags of any text are shown and read back as they are", () => {
  const lines = fc.array(fc.constantFrom("a", "# b", "c: d", "- e", " f", "'", '"', "", "%", "---", "\tg"), {
    minLength: 1,
  });
  fc.assert(
    fc.property(lines, (some) => {
      const notes = some.join("\n");
      const one = { config: { ...config, notes: notes === "" ? "x" : notes }, runs: true };
      expect(readEdit(documentOf(one), one)).toEqual({ edit: null });
    }),
  );
});

test("several fields are one set of changes, with what they were", () => {
  const edited = text
    .replace("memoryMib: 64", "memoryMib: 128")
    .replace("  - prod\n", "  - web\n")
    .replace(/notes: [^]*?(?=^cdroms)/m, "")
    .replace("connected: true", "connected: false");
  const medium = { datastore: "library", path: "debian.iso" };
  expect(readEdit(edited, vm)).toEqual({
    edit: {
      changes: {
        ...{ memoryMib: 128, notes: null, tags: { add: ["web"], remove: ["prod"] } },
        cdroms: [{ name: "cd0", medium, connected: false }],
      },
      basis: basisOf(config),
    },
  });
});

test("a topology is written beside the vCPUs, must fit them, and is taken away by leaving it out", () => {
  const topology = { sockets: 1, cores: 2, threads: 1 };
  const words = "topology: { sockets: 1, cores: 2, threads: 1 }";
  expect(edit("vcpus: 1", `vcpus: 2\n${words}`)).toMatchObject({ edit: { changes: { vcpus: 2, topology } } });
  expect(edit("vcpus: 1", `vcpus: 1\n${words}`)).toEqual({
    problems: ["line 5: topology: 1 socket × 2 cores × 1 thread are 2 vCPUs, and the VM has 1"],
  });
  const one = { config: { ...config, vcpus: 2, topology }, runs: false };
  const shown = documentOf(one);
  expect(readEdit(shown, one)).toEqual({ edit: null });
  const without = shown.replace(/topology:\n(?: .*\n)+/, "");
  expect(readEdit(without, one)).toMatchObject({ edit: { changes: { topology: null } } });
  expect(readEdit(without, { ...one, runs: true })).toMatchObject({
    problems: [expect.stringContaining("topology: changes only while the VM is stopped")],
  });
});

test("memory is added up to its maximum while the VM runs; the maximum, and less memory, are for one that is stopped", () => {
  const growing = { config: { ...config, memoryMib: 1024, maxMemoryMib: 2048 }, runs: true };
  const shown = documentOf(growing);
  expect(readEdit(shown, growing)).toEqual({ edit: null });
  const edited = (memoryMib: number, vm = growing) =>
    readEdit(shown.replace("memoryMib: 1024", `memoryMib: ${String(memoryMib)}`), vm);
  expect(edited(2048)).toMatchObject({ edit: { changes: { memoryMib: 2048 } } });
  expect(edited(1000)).toMatchObject({
    problems: [expect.stringContaining("memory is only added while a VM runs")],
  });
  expect(edited(1000, { ...growing, runs: false })).toMatchObject({ edit: { changes: { memoryMib: 1000 } } });
  const wider = shown.replace("maxMemoryMib: 2048", "maxMemoryMib: 4096");
  expect(readEdit(wider, growing)).toMatchObject({
    problems: [expect.stringContaining("maxMemoryMib: changes only while the VM is stopped")],
  });
  const without = shown.replace("maxMemoryMib: 2048\n", "");
  expect(readEdit(without, { ...growing, runs: false })).toMatchObject({
    edit: { changes: { maxMemoryMib: null } },
  });
});

test("a memory target changes while the VM runs; the balloon comes and goes while it is stopped", () => {
  const ballooned = { config: { ...config, balloon: { targetMib: 64 } }, runs: true };
  const shown = documentOf(ballooned);
  expect(readEdit(shown, ballooned)).toEqual({ edit: null });
  const all = shown.replace(/balloon:\n(?: .*\n)+/, "balloon: {}\n");
  expect(readEdit(all, ballooned)).toMatchObject({ edit: { changes: { balloon: {} } } });
  const without = shown.replace(/balloon:\n(?: .*\n)+/, "");
  expect(readEdit(without, ballooned)).toMatchObject({
    problems: [expect.stringContaining("balloon: changes only while the VM is stopped")],
  });
  expect(readEdit(without, { ...ballooned, runs: false })).toMatchObject({
    edit: { changes: { balloon: null } },
  });
});

test("every problem is shown, with its line and what to do instead", () => {
  const edited = text
    .replace("name: web-1", "name: web-2")
    .replace("memoryMib: 64", "memoryMib: 1")
    .replace("vcpus: 1", "vcpus: two\ncolour: blue");
  const line = (field: string) => edited.split("\n").findIndex((one) => one.startsWith(`${field}:`)) + 1;
  expect(readEdit(edited, vm)).toEqual({
    problems: [
      expect.stringMatching(`line ${String(line("memoryMib"))}: memoryMib: `),
      expect.stringMatching(`line ${String(line("vcpus"))}: vcpus: `),
      `line ${String(line("colour"))}: unknown field colour`,
      "line 1: name: does not change",
    ],
  });
  expect(edit("name: web-1", "name: web-2")).toEqual({ problems: ["line 1: name: does not change"] });
  expect(edit(/disks:[^]*/, "")).toMatchObject({
    problems: [expect.stringContaining("godwit vm disk add"), expect.stringContaining("godwit vm nic add")],
  });
  expect(edit("memoryMib: 64", "memoryMib: 128", true)).toMatchObject({
    problems: [expect.stringContaining("it was powered on without a maximum")],
  });
  expect(edit("vcpus: 1", "vcpus: 2", true)).toMatchObject({
    problems: [expect.stringContaining("changes only while the VM is stopped")],
  });
  expect(edit("name: cd1", "name: cd9")).toMatchObject({ problems: [expect.stringContaining("cdroms")] });
  expect(edit("remove:", "masks:\n    nonsense: x\n  remove:")).toMatchObject({
    problems: [expect.stringContaining("nonsense")],
  });
  expect(edit("tags:", "tags: [")).toHaveProperty("problems");
  const aliases = `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]`;
  expect(readEdit(aliases, vm)).toHaveProperty("problems");
});

/** An editor that saves these texts, one after the other. */
function saving(...texts: ((shown: string) => string)[]) {
  const shown: string[] = [];
  const open = (seen: string) => {
    shown.push(seen);
    const next = texts.shift();
    if (next === undefined) throw new Error("the editor was opened once more");
    return Promise.resolve(next(seen));
  };
  return { shown, open };
}

test("with a problem the editor is offered again with the text and every problem; the lines are those that are seen", async () => {
  const { shown, open } = saving(
    (seen) => seen.replace("memoryMib: 64", "memoryMib: 1\ncolour: blue"),
    (seen) => seen.replace("memoryMib: 1\ncolour: blue", "memoryMib: 256"),
  );
  const edited = await editedVm(vm, open, "/tmp/kept");
  expect(edited?.changes).toEqual({ memoryMib: 256 });
  const again = shown[1]?.split("\n") ?? [];
  expect(again).toContain(`#   line ${String(again.indexOf("colour: blue") + 1)}: unknown field colour`);
  expect(again.filter((one) => /^# {3}line/.test(one))).toHaveLength(2);
});

test("saved as it was, or empty, nothing is changed; a wrong text that is saved again is given up, and kept", async () => {
  expect(await editedVm(vm, saving((seen) => seen).open, "/tmp/kept")).toBeNull();
  expect(await editedVm(vm, saving(() => "").open, "/tmp/kept")).toBeNull();
  const { open } = saving(
    (seen) => seen.replace("vcpus: 1", "vcpus: no"),
    (seen) => seen,
  );
  await expect(editedVm(vm, open, "/tmp/kept")).rejects.toMatchObject({
    code: "VM_DESCRIPTION_INVALID",
    message: expect.stringContaining("/tmp/kept") as string,
  });
});

test("an editor that fails leaves no file behind, unless something was written; one that removes the file is named", async () => {
  const shell = async (command: string) => await EditedFile.make("web-1.yaml", `sh -c '${command}' sh`);
  const unwritten = await shell("exit 3");
  const failed = { code: "EDITOR_FAILED", details: { reason: "ended with code 3", kept: null } };
  await expect(unwritten.edit("a: 1\n")).rejects.toMatchObject({ problem: failed });
  expect(existsSync(dirname(unwritten.path))).toBe(false);
  const removing = await shell('rm "$1"');
  const removed = { details: { reason: "has removed the file", kept: null } };
  await expect(removing.edit("a: 1\n")).rejects.toMatchObject({ problem: removed });
  const written = await shell('echo b >> "$1"; exit 3');
  await expect(written.edit("a: 1\n")).rejects.toMatchObject({
    problem: { details: { kept: written.path } },
  });
  expect(readFileSync(written.path, "utf8")).toBe("a: 1\nb\n");
  expect(statSync(dirname(written.path)).mode & 0o077).toBe(0);
  await written.remove();
});

test("without an editor or a terminal it is said what to do", () => {
  expect(() => editorOf({ EDITOR: " " }, true)).toThrow(GodwitError);
  expect(() => editorOf({ EDITOR: "vi" }, false)).toThrow("terminal");
  expect(editorOf({ VISUAL: "code --wait", EDITOR: "vi" }, true)).toBe("code --wait");
});

test("a conflict is what somebody else has changed of the same; a change that was cut off, and other fields, are none", () => {
  const basis = basisOf(config);
  const medium = { datastore: "shared", path: "tools.iso" };
  const changes = { memoryMib: 128, notes: null, cdroms: [{ name: "cd0", medium, connected: true }] };
  const now = (other: Partial<Vm>) => conflictsOf({ ...config, ...other }, changes, basis);
  const drives = (one: object) => ({
    cdroms: [{ name: "cd0", ...one }, ...(config.cdroms ?? []).slice(1)] as Vm["cdroms"],
  });
  const old = config.cdroms?.[0]?.medium ?? null;
  expect(now({})).toEqual([]);
  expect(now({ vcpus: 8, tags: ["other"] })).toEqual([]);
  expect(now({ memoryMib: 128, ...drives({ medium: old, connected: false }) })).toEqual([]);
  expect(now(drives({ medium, connected: true }))).toEqual([]);
  // Before the edit starts, it is somebody else who has disconnected the drive.
  const disconnected = { ...config, ...drives({ medium: old, connected: false }) };
  expect(conflictsOf(disconnected, changes, basis, false)).toEqual(["CD-ROM drive cd0"]);
  expect(conflictsOf(config, changes, basis, false)).toEqual([]);
  expect(now({ memoryMib: 256, notes: "Bob's" })).toEqual(["memoryMib", "notes"]);
  expect(now(drives({ medium: { datastore: "shared", path: "other.iso" }, connected: true }))).toEqual([
    "CD-ROM drive cd0",
  ]);
  expect(conflictsOf({ ...config, memoryMib: 256 }, changes, {})).toEqual([]);
});
