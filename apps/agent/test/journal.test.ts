/** A move's journal: what was written is read back; what was torn or damaged did not happen. */
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
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
      const read = decodeLines(damaged).entries;
      expect(read).toEqual((JSON.parse(JSON.stringify(entries)) as unknown[]).slice(0, read.length));
    }),
  );
});
