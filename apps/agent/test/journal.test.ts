/** A move's journal: what was written is read back; what was torn did not happen, what was damaged is told. */
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MoveId } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeLines, encodeLine, Journal, readJournals } from "../src/moves/journal.ts";

const moveId = "11111111-1111-4111-8111-111111111111" as MoveId;

test("entries are read back in order, and a torn tail is cut off for good", async () => {
  const folder = await mkdtemp(join(tmpdir(), "godwit-journal-"));
  const journal = await Journal.open(folder, moveId, "source");
  await journal.append({ at: "started", text: "zeile\nmit umbruch" });
  await journal.append({ at: "copying" });
  await appendFile(journal.path, encodeLine({ at: "leaving" }).slice(0, -5));
  const entries = [{ at: "started", text: "zeile\nmit umbruch" }, { at: "copying" }];
  expect(await readJournals(folder)).toEqual([{ moveId, role: "source", entries }]);
  await journal.append({ at: "ended" });
  expect((await readJournals(folder))[0]?.entries).toEqual([...entries, { at: "ended" }]);
  await journal.remove();
  await writeFile(join(folder, "notes.txt"), "not a journal");
  expect(await readJournals(folder)).toEqual([]);
  await rm(folder, { recursive: true });
});

test("whatever is done to the bytes, what is read is a beginning of what was written", () => {
  const entry = fc.record({ at: fc.string(), value: fc.jsonValue() });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 6 }), fc.nat(), fc.nat(255), (entries, at, byte) => {
      const sound = Buffer.from(entries.map(encodeLine).join(""));
      const damaged = Buffer.from(sound);
      if (damaged.length > 0) damaged[at % damaged.length] = byte;
      const read = decodeLines("source", damaged).entries;
      expect(read).toEqual((JSON.parse(JSON.stringify(entries)) as unknown[]).slice(0, read.length));
    }),
  );
});

test("damage before the end is never taken for an end", () => {
  const entry = fc.record({ at: fc.string(), value: fc.jsonValue() });
  fc.assert(
    fc.property(
      fc.array(entry, { minLength: 2, maxLength: 6 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (entries, at, mask) => {
        const lines = entries.map(encodeLine);
        const bytes = Buffer.from(lines.join(""));
        const place = at % (bytes.length - Buffer.byteLength(lines.at(-1) ?? ""));
        const before = bytes[place];
        bytes[place] = (before ?? 0) ^ mask;
        // A line's version is not under its checksum, which versions before this one made: two bits of it make it an earlier one.
        const isVersion = place === 0 || bytes[place - 1] === 0x0a;
        fc.pre(!(isVersion && before === 0x32 && bytes[place] === 0x31));
        expect(decodeLines("source", bytes).unreadable).not.toBeNull();
      },
    ),
  );
});

test("a journal of a newer version, or a damaged one, keeps the agent from starting, and stays as it is", async () => {
  const folder = await mkdtemp(join(tmpdir(), "godwit-journal-"));
  const path = join(folder, `${moveId}.destination.journal`);
  const entries = [{ at: "started" }, { at: "prepared" }, { at: "running" }].map(encodeLine);
  const [first = "", second = "", third = ""] = entries;
  for (const content of [
    `${first}${second.replace(/^2 /, "3 ")}`,
    `${first}${second.replace("prepared", "prepaired")}${third}`,
  ]) {
    await writeFile(path, content);
    await expect(readJournals(folder)).rejects.toMatchObject({ code: "JOURNAL_UNREADABLE" });
    expect(await readFile(path, "utf8")).toBe(content);
  }
  await rm(folder, { recursive: true });
});
