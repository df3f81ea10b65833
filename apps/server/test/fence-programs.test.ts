/** Fence programs as the server runs them: what they are given, what counts as success, and what is not run at all. */
import { chmod, chown, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HostFacts } from "@godwit/contract";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fenceOrder, FencePrograms } from "../src/fencing/fence-programs.ts";

let folder: string;
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "godwit-fence-"));
  folder = join(root, "programs");
  await mkdir(folder, { mode: 0o755 });
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const facts = {
  links: [
    { name: "eth0", addresses: ["10.0.1.7/24", "fe80::1/64"] },
    { name: "eth1", addresses: ["10.0.3.7/24", "$(touch /tmp/x)", "10.0.3.7; true/24"] },
  ],
  migrationSettings: { address: "10.0.2.7", also: ["10.0.4.7"] },
} as unknown as HostFacts;
const order = fenceOrder(
  { name: "vms", source: { kind: "nfs", server: "filer", path: "/export/vms" } },
  { name: "b", agentUrl: "https://[2001:db8::7]:8444", facts },
);

async function program(text: string, mode = 0o755): Promise<string> {
  const path = join(folder, "fence");
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, mode);
  return path;
}
const run = async (limitSeconds = 30) =>
  await new FencePrograms({ folder, runFolder: join(root, "runs"), limitSeconds }).run(
    "fence",
    "revoke",
    order,
  );

test("it is told what it is to do, of which datastore and which host, and nothing of the server's own", async () => {
  process.env["GODWIT_DATABASE_URL"] = "postgres://secret";
  try {
    await program(`cat > ${root}/order; env > ${root}/environment; echo "all fine" >&2`);
    expect(await run()).toBeNull();
  } finally {
    delete process.env["GODWIT_DATABASE_URL"];
  }
  expect(JSON.parse(await readFile(join(root, "order"), "utf8"))).toEqual({
    action: "revoke",
    datastore: { name: "vms", kind: "nfs", server: "filer", path: "/export/vms" },
    host: {
      name: "b",
      agent: "2001:db8::7",
      migration: ["10.0.2.7", "10.0.4.7"],
      addresses: ["10.0.1.7", "fe80::1", "10.0.3.7"],
      initiator: "iqn.2008-11.org.linux-kvm:b",
    },
  });
  expect(await readFile(join(root, "environment"), "utf8")).not.toContain("secret");
});

test("only that it ends with 0 is success; of all else its last line tells", async () => {
  await program(`echo "one" >&2; printf 'the filer\\033[31m says no.\\n\\n' >&2; exit 3`);
  expect(await run()).toBe("it ended with 3: the filer?[31m says no");
  await program("exit 75");
  expect(await run()).toBe("it ended with 75");
  await program("kill -TERM $$");
  expect(await run()).not.toBeNull();
  // It reads nothing, says much, and ends.
  await program(
    "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo over >&2; yes | head -c 1000000; exit 1",
  );
  expect(await run()).toBe("it ended with 1: over");
  await writeFile(join(folder, "fence"), "no program at all");
  expect(await run()).not.toBeNull();
});

test("one that does not end is ended, with what it has started, and leaves nothing that keeps the next from running", async () => {
  await program(`echo $$ > ${root}/pid; sleep 1000 & echo $! > ${root}/child; wait`);
  // Long enough for what it writes.
  expect(await run(10)).toBe("it did not end within 10 s, and was ended");
  for (const name of ["pid", "child"]) {
    const pid = Number(await readFile(join(root, name), "utf8"));
    await expect.poll(() => isThere(pid)).toBe(false);
  }
  // What it leaves behind when it ends by itself.
  await program(`sleep 1000 & echo $! > ${root}/child; exit 0`);
  expect(await run()).toBeNull();
  const left = Number(await readFile(join(root, "child"), "utf8"));
  await expect.poll(() => isThere(left)).toBe(false);
  await program("exit 0");
  expect(await run()).toBeNull();
});

test("while an earlier run for the same host and datastore goes on, it is not run", async () => {
  await program(`echo begun >> ${root}/runs.log; read line; sleep 1; echo ended >> ${root}/runs.log`);
  expect(await Promise.all([run(), run()])).toEqual([null, null]);
  expect((await readFile(join(root, "runs.log"), "utf8")).split("\n").slice(0, 4)).toEqual([
    ...["begun", "ended", "begun", "ended"],
  ]);
  // One that got away from its group.
  const path = join(root, "child");
  await program(
    `setsid sh -c 'echo $$ > ${path}; exec sleep 1000' & while [ ! -s ${path} ]; do sleep 0.1; done`,
  );
  try {
    expect(await run()).toBeNull();
    expect(await run(1)).toBe("an earlier run of it has not ended");
  } finally {
    const pid = Number(await readFile(path, "utf8").catch(() => ""));
    if (pid > 0) process.kill(pid, "SIGKILL");
  }
});

test("a file that somebody else could change, or that is none, is not run", async () => {
  const path = await program(`touch ${root}/ran`);
  for (const mode of [0o775, 0o757, 0o777]) {
    await chmod(path, mode);
    expect(await run()).toContain("can be written to by others");
  }
  await chmod(path, 0o644);
  expect(await run()).toContain("may not execute");
  await chmod(path, 0o755);
  await chmod(folder, 0o777);
  expect(await run()).toContain("can be written to by others");
  await chmod(folder, 0o755);
  if (process.geteuid?.() === 0) {
    await chown(path, 65_534, 65_534);
    expect(await run()).toContain("belongs neither to root");
    await chown(path, 0, 0);
  }
  await rm(path);
  expect(await run()).toContain("there is no");
  await symlink("/bin/true", path);
  expect(await run()).toContain("is no regular file");
  await expect(readFile(join(root, "ran"))).rejects.toMatchObject({ code: "ENOENT" });
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
