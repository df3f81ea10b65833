/** Where a VM's TPM writes: to the VM's folder where the VM has permission to run, and nowhere near it before. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { commandLine } from "../src/command-line.ts";
import { runPaths, type LaunchSpec } from "../src/launch-spec.ts";
import { prepareTpm, takeTpm, tpmHasEnded, withTpm } from "../src/tpm.ts";
import { Fixture, ownUser } from "./fixtures.ts";

let base: string;
let plain: LaunchSpec;
const folder = "/srv/vms/web-1/tpm";
const paths = () => runPaths(base, plain.vm.id);
const spec = (incoming: boolean): LaunchSpec => ({ ...plain, incoming, tpm: { folder } });
const leadsTo = async () => await readlink(join(paths().folder, "tpm/state"));

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "godwit-tpm-"));
  await using fixture = await Fixture.make("qemu-system-x86_64");
  plain = fixture.spec(false);
  await mkdir(paths().folder, { recursive: true });
});
afterEach(async () => {
  // A TPM that has been ended with its QEMU may be writing still.
  await rm(base, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

test("a VM that is started has its state in its own folder from the beginning", async () => {
  await prepareTpm(spec(false), paths(), ownUser);
  expect(await leadsTo()).toBe(folder);
  await takeTpm(spec(false), paths());
  expect(await leadsTo()).toBe(folder);
});

test("a VM that comes has it on this host, until it is taken over; asked again that changes nothing", async () => {
  await prepareTpm(spec(true), paths(), ownUser);
  expect(await leadsTo()).toBe("here");
  const { uid, mode } = await stat(join(paths().folder, "tpm/here"));
  expect([uid, mode & 0o7777]).toEqual([ownUser.uid, 0o700]);
  expect((await stat(join(paths().folder, "tpm"))).uid).toBe(0);
  for (let times = 0; times < 2; times++) {
    await takeTpm(spec(true), paths());
    expect(await leadsTo()).toBe(folder);
  }
});

test("a link that leads elsewhere is no state that was taken over", async () => {
  await prepareTpm(spec(true), paths(), ownUser);
  await rm(join(paths().folder, "tpm/next"));
  await expect(takeTpm(spec(true), paths())).rejects.toMatchObject({ code: "ENOENT" });
  await symlink("/elsewhere", join(paths().folder, "tpm/other"));
  await rename(join(paths().folder, "tpm/other"), join(paths().folder, "tpm/state"));
  await expect(takeTpm(spec(true), paths())).rejects.toMatchObject({ code: "ENOENT" });
});

test("a TPM that was taken over can be reset though the source's has not ended: its lock is gone, and its state stays", async () => {
  const own = join(base, "web-1-tpm");
  await mkdir(own);
  for (const name of [".lock", "tpm2-00.permall"]) await writeFile(join(own, name), "");
  const comes = { ...spec(true), tpm: { folder: own } };
  await prepareTpm(comes, paths(), ownUser);
  expect((await readdir(own)).sort()).toEqual([".lock", "tpm2-00.permall"]);
  await takeTpm(comes, paths());
  await expect.poll(() => readdir(own), { timeout: 60_000 }).toEqual(["tpm2-00.permall"]);
});

test("a VM without one has no device, no process and no folder", async () => {
  await prepareTpm(plain, paths(), ownUser);
  await expect(stat(join(paths().folder, "tpm"))).rejects.toMatchObject({ code: "ENOENT" });
  expect(withTpm(plain, paths(), { root: base, user: ownUser, kvmGid: null, profile: null })).toEqual([]);
  expect(commandLine(plain).filter((word) => word.includes("tpm"))).toEqual([]);
  expect(tpmHasEnded(plain, paths())).toBe(false);
});

test("its process sees its state and the system's programs, and QEMU finds it at a descriptor of its own", () => {
  const words = withTpm(spec(false), paths(), { root: base, user: ownUser, kvmGid: null, profile: null });
  const visible = words.flatMap((word, at) => (word === "rw" ? [words[at + 1]] : []));
  expect(visible).toEqual([folder, join(paths().folder, "tpm")]);
  expect(words).toContain("--no-new-privs");
  expect(words).not.toContain("--apparmor-profile");
  const confined = withTpm(spec(false), paths(), {
    ...{ root: base, user: ownUser, kvmGid: null, profile: "godwit-qemu" },
  });
  // What ends it with QEMU is asked for under the profile: the kernel resets it at a change.
  expect(confined.indexOf("--apparmor-profile")).toBeGreaterThan(confined.indexOf("--no-new-privs"));
  expect(confined.indexOf("--pdeathsig")).toBeGreaterThan(confined.indexOf("godwit-qemu"));
  expect(commandLine(spec(false)).filter((word) => word.includes("tpm"))).toEqual([
    "socket,id=tpm,fd=25",
    "-tpmdev",
    "emulator,id=tpm0,chardev=tpm",
    "tpm-crb,tpmdev=tpm0",
  ]);
});

test("what a TPM forgets at a power-off, and a crash has left, is gone before it starts", async () => {
  const own = join(base, "web-1-tpm");
  await mkdir(own, { mode: 0o700 });
  await chown(own, ownUser.uid, ownUser.gid);
  await writeFile(join(own, "tpm2-00.volatilestate"), "of the boot before");
  await mkdir(join(base, "root"));
  const started = { ...spec(false), tpm: { folder: own } };
  await prepareTpm(started, paths(), ownUser);
  const [program = "", ...args] = withTpm(started, paths(), {
    root: join(base, "root"),
    user: ownUser,
    kvmGid: null,
    profile: null,
  });
  const qemu = spawn(program, [...args, "/bin/sleep", "600"], { stdio: "ignore" });
  try {
    const running = async () => {
      const pid = await readFile(join(paths().folder, "swtpm.pid"), "utf8").catch(() => "");
      return pid === "" ? "" : await readlink(`/proc/${pid.trim()}/exe`);
    };
    await expect.poll(running, { timeout: 60_000 }).toBe("/usr/bin/swtpm");
    expect(await readdir(own)).not.toContain("tpm2-00.volatilestate");
  } finally {
    qemu.kill("SIGKILL");
    await once(qemu, "exit");
  }
});
