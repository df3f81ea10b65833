/** What `image add` asks for, and what it refuses before a server is asked. */
import { GodwitError } from "@godwit/contract";
import { expect, test } from "vitest";
import { newImage, type ImageFlags } from "../src/image-flags.ts";

const asked = async (origin: string, flags: ImageFlags = {}, datastores = ["vms"]) =>
  await newImage(origin, flags)(() => Promise.resolve(datastores));
const refusal = async (...words: Parameters<typeof asked>): Promise<string> =>
  await asked(...words).then(
    () => "",
    (error: unknown) => (GodwitError.is(error) ? error.message : String(error)),
  );

test("the name follows from the file, and the datastore is the only one", async () => {
  const url = "https://cloud.debian.org/images/Debian-12_generic.amd64.qcow2?x=1";
  expect(await asked(url)).toEqual({ name: "debian-12-generic-amd64", datastore: "vms", from: { url } });
  const checksum = `sha256:${"a".repeat(64)}`;
  expect(await asked("iso:up/Disk 1.vmdk", { name: "disk", checksum, host: "a" })).toEqual({
    ...{ name: "disk", datastore: "iso", host: "a" },
    from: { datastore: "iso", path: "up/Disk 1.vmdk", checksum },
  });
});

test("what cannot be meant is said", async () => {
  expect(await refusal("/tmp/disk.qcow2")).toMatch(/neither an address nor a file of a datastore/);
  expect(await refusal("http://example.org/a.qcow2")).toMatch(/needs a checksum/);
  expect(await refusal("ftp://example.org/a.qcow2")).toMatch(/https:\/\/ or http:\/\//);
  expect(await refusal("https://user:secret@example.org/a.qcow2")).toMatch(/no user and password/);
  expect(await refusal("https://example.org/")).toMatch(/No name/);
  expect(await refusal("https://example.org/a.qcow2", { checksum: "md5:1" })).toMatch(/must be sha256/);
  expect(await refusal("https://example.org/a.qcow2", {}, ["a", "b"])).toMatch(/several datastores \(a, b\)/);
});
