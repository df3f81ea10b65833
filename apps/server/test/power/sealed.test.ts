/** Passwords in the database are of use only to this server, and only for what they were given for. */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Seal } from "../../src/power/sealed.ts";

test("a password is opened with its key and for its purpose, and by nothing else; the key is its owner's alone", async () => {
  const folder = await mkdtemp(join(tmpdir(), "godwit-seal-"));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true }));
  const sealed = (await Seal.open(folder)).close("s3cret ä", "host-power:a");
  expect(sealed).not.toContain("s3cret");
  expect((await stat(join(folder, "passwords-key"))).mode & 0o777).toBe(0o600);
  const next = await Seal.open(folder);
  expect(next.open(sealed, "host-power:a")).toBe("s3cret ä");
  expect(next.open(sealed, "host-power:b")).toBeNull();
  const bytes = Buffer.from(sealed.slice(3), "base64");
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  expect(next.open(`v1.${bytes.toString("base64")}`, "host-power:a")).toBeNull();
  for (const other of ["", "v1.", "v2.AAAA", sealed.slice(0, 20)])
    expect(next.open(other, "host-power:a")).toBeNull();
  expect(new Seal(Buffer.alloc(32)).open(sealed, "host-power:a")).toBeNull();
  expect(next.close("s3cret", "host-power:a")).not.toBe(next.close("s3cret", "host-power:a"));
});
