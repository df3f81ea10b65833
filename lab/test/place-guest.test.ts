/** A lab's second VM: its files take the place of the first one's, of which a running QEMU has the kernel and the root mapped. */
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { placeGuest } from "../src/index.ts";

test("what a running VM was started from is not written to by the next one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "godwit-place-"));
  try {
    const image = { kernel: join(folder, "k"), initrd: join(folder, "i"), disk: join(folder, "d") };
    for (const path of Object.values(image)) await writeFile(path, "first");
    await placeGuest(folder, image, { name: "web-1", index: 0, memoryMib: 128 });
    await using kernel = await open(join(folder, "guest/kernel"));
    await using initrd = await open(join(folder, "guest/initrd"));
    for (const path of Object.values(image)) await writeFile(path, "next");
    await placeGuest(folder, image, { name: "web-2", index: 1, memoryMib: 128 });
    for (const file of [kernel, initrd]) expect(await file.readFile("utf8")).toBe("first");
  } finally {
    await rm(folder, { recursive: true });
  }
});
