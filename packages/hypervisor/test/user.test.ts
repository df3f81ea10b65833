/** Users of VMs' own, and the credentials that they are lent. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { lendCredentials } from "../src/credentials.ts";
import { asUser, vmUser } from "../src/user.ts";

test("a VM has the same uid on every host, and within the range", () => {
  const id = "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a11";
  // Disks on storage belong to it: no version may reckon it otherwise.
  expect(vmUser(id, { first: 2_010_000_000, count: 100_000_000 }).uid).toBe(2_021_552_724);
  fc.assert(
    fc.property(fc.uuid(), fc.integer({ min: 1, max: 2 ** 31 }), (vmId, count) => {
      const range = { first: 1_000_000, count };
      const { uid, gid } = vmUser(vmId, range);
      expect(gid).toBe(uid);
      expect(uid).toBeGreaterThanOrEqual(range.first);
      expect(uid).toBeLessThan(range.first + count);
      expect(vmUser(vmId, range).uid).toBe(uid);
    }),
  );
});

test("QEMU's user has no group but its own and that of /dev/kvm", () => {
  expect(asUser({ uid: 5, gid: 6 }, "104", null).join(" ")).toBe(
    "setpriv --reuid 5 --regid 6 --groups 104 --no-new-privs --",
  );
  expect(asUser({ uid: 5, gid: 6 }, null, "godwit-qemu").join(" ")).toBe(
    "setpriv --apparmor-profile godwit-qemu --reuid 5 --regid 6 --clear-groups --no-new-privs --",
  );
});

test("lent credentials can be read by one user while they are read, and are gone afterwards, also after an error", async () => {
  const folder = await mkdtemp(join(tmpdir(), "godwit-tls-"));
  try {
    const to = join(folder, "lent");
    const credentials = { caPem: "ca", certificatePem: "certificate", keyPem: "key" };
    // What an agent left that was killed here.
    await mkdir(to);
    await writeFile(join(to, "old.pem"), "old");
    const user = { uid: 2_010_000_001, gid: 2_010_000_001 };
    await lendCredentials({ credentials, to, user, end: "server" }, async (lent) => {
      expect(lent).toBe(to);
      const names = ["ca-cert.pem", "dh-params.pem", "server-cert.pem", "server-key.pem"];
      expect((await readdir(lent)).sort()).toEqual(names);
      expect(await readFile(join(lent, "server-key.pem"), "utf8")).toBe("key");
      expect(await stat(lent)).toMatchObject({ uid: 0, gid: user.gid, mode: 0o40710 });
      for (const name of names) {
        expect(await stat(join(lent, name))).toMatchObject({ ...user, mode: 0o100600 });
      }
    });
    await expect(readdir(to)).rejects.toMatchObject({ code: "ENOENT" });
    const refused = lendCredentials({ credentials, to, user, end: "client" }, () =>
      Promise.reject(new Error("no")),
    );
    await expect(refused).rejects.toThrow("no");
    await expect(readdir(to)).rejects.toMatchObject({ code: "ENOENT" });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
