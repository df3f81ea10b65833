/** Journals and messages as version 1 wrote them: an agent that was upgraded in the middle of a move goes on with it. */
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MoveId, MoveOrder, VmDisk } from "@godwit/contract";
import {
  restoreDestination,
  restoreSource,
  toDestinationSchema,
  toDestinationWire,
  toSourceSchema,
  toSourceWire,
  type DestinationEntry,
  type SourceEntry,
  type ToDestination,
} from "@godwit/migration";
import { afterEach, beforeEach, expect, test } from "vitest";
import { decodeLines, Journal, readJournals } from "../src/moves/journal.ts";

const read = (name: string): Promise<Buffer> => readFile(new URL(`data/version-1/${name}`, import.meta.url));
const linesOf = async (name: string): Promise<unknown[]> =>
  (await read(name))
    .toString("utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
const names = (messages: readonly { type: string }[]): string[] => messages.map(({ type }) => type).sort();
/** How an agent finds the journal that was stopped after each of its entries. */
async function beginnings<Entry>(name: string, role: "source" | "destination"): Promise<Entry[][]> {
  const { entries, unreadable } = decodeLines(role, await read(name));
  expect(unreadable).toBeNull();
  return entries.map((_, index) => entries.slice(0, index + 1) as Entry[]);
}

const hereAlone = {
  ...{ qemuVersion: "7.2.22", qemuAlive: true, guestRuns: true },
  ...{ copyCompleted: false, copyFailed: false, postcopy: null, pauseReason: null },
};
const sentAway = { ...hereAlone, guestRuns: false, copyCompleted: true };
const arrived = {
  ...{ qemuAlive: true, guestRuns: true, loaded: true, memoryComplete: true },
  ...{ streamBroken: false, failed: false, listening: null },
};
const incoming = { ...arrived, guestRuns: false, loaded: false, memoryComplete: false };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-version-1-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test("every message that version 1 can say is understood, and every one but what it does not have is said to it", async () => {
  const toDestination = (await linesOf("to-destination.jsonl")).map((said) =>
    toDestinationWire.read(said, 1),
  );
  const toSource = (await linesOf("to-source.jsonl")).map((said) => toSourceWire.read(said, 1));
  const heardThere = toDestination.flatMap((message) => message ?? []);
  const heardHere = toSource.flatMap((message) => message ?? []);
  const typesOf = (options: readonly { shape: { type: { value: string } } }[]) =>
    options.map(({ shape }) => shape.type.value);
  expect(names(heardThere)).toEqual(
    typesOf(toDestinationSchema.options)
      .filter((type) => type !== "notUnderstood")
      .sort(),
  );
  expect(names(heardHere)).toEqual(
    typesOf(toSourceSchema.options)
      .filter((type) => !["notUnderstood", "announced"].includes(type))
      .sort(),
  );
  expect(heardThere.map((message) => toDestinationWire.write(message, 1))).toEqual(
    await linesOf("to-destination.jsonl"),
  );
  expect(heardHere.map((message) => toSourceWire.write(message, 1))).toEqual(
    await linesOf("to-source.jsonl"),
  );
});

test("an order for version 1 says of a disk only what that version reads", async () => {
  const [said] = await linesOf("to-destination.jsonl");
  const { order } = toDestinationWire.read(said, 1) as { order: MoveOrder };
  const disk: VmDisk = { name: "root", path: "web-1/root.qcow2", format: "qcow2", taken: false };
  const message: ToDestination = { type: "prepare", order: { ...order, vm: { ...order.vm, disks: [disk] } } };
  const disksIn = (version: number) =>
    (toDestinationWire.write(message, version) as { order: MoveOrder }).order.vm.disks;
  const { taken: _, ...asBefore } = disk;
  expect([disksIn(2), disksIn(1)]).toEqual([[disk], [asBefore]]);
});

test("a source of version 1 is taken up wherever it was stopped", async () => {
  const phases = async (name: string, observed: typeof hereAlone) =>
    (await beginnings<SourceEntry>(`${name}.source.journal`, "source")).map(
      (entries) => restoreSource(entries, observed).state.phase,
    );
  // The guest runs here still: taken back, until the destination is known to run it.
  expect(await phases("precopy", hereAlone)).toEqual(["undoing", "undoing", "cleaningUp", "ended"]);
  // Everything was sent: whether a commit was is not known, so that it is repeated.
  expect(await phases("precopy", sentAway)).toEqual(["undoing", "committed", "cleaningUp", "ended"]);
  expect(await phases("postcopy", sentAway)).toEqual([
    ...["undoing", "committed", "committed", "cleaningUp", "ended"],
  ]);
  expect(await phases("cancelled", hereAlone)).toEqual(["undoing", "undoing", "undoing", "ended"]);
});

test("a destination of version 1 is taken up wherever it was stopped", async () => {
  const phases = async (name: string, observed: typeof arrived) =>
    (await beginnings<DestinationEntry>(`${name}.destination.journal`, "destination")).map(
      (entries) => restoreDestination(entries, observed).state.phase,
    );
  expect((await phases("precopy", incoming)).slice(0, 2)).toEqual(["givingUp", "receiving"]);
  expect(await phases("precopy", arrived)).toEqual(["running", "running", "running"]);
  expect(await phases("postcopy", { ...arrived, memoryComplete: false })).toEqual([
    ...["postcopyReceiving", "postcopyReceiving", "postcopyReceiving", "postcopyReceiving", "ended"],
  ]);
  expect(await phases("cancelled", incoming)).toEqual(["givingUp", "receiving", "givingUp"]);
});

test("an upgraded agent writes on in a journal of version 1, and reads all of it again", async () => {
  const id = "6ab99833-4232-4f8b-9fad-8f9079a4a4c4" as MoveId;
  const path = join(folder, `${id}.source.journal`);
  await cp(new URL("data/version-1/precopy.source.journal", import.meta.url), path);
  const journal = await Journal.open<SourceEntry>(folder, id, "source");
  await journal.append({ at: "cleaningUp", died: null });
  await journal.close();
  const [content] = await readJournals<SourceEntry>(folder);
  expect(content?.entries.map(({ at }) => at)).toEqual([
    ...["started", "copying", "cleaningUp", "ended", "cleaningUp"],
  ]);
  expect(
    (await readFile(path, "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => line.charAt(0)),
  ).toEqual([...["1", "1", "1", "1", "2"]]);
});
