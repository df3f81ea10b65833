/**
 * The handbook's script at an NFS server, word for word, where its disk is full: it says so and fails, its host counts as not fenced, and what it has
 * left makes no later run claim what is not so. What it does is asked of the kernel, in a network namespace of the test's own.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, truncateSync, writeSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@godwit/system";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { blocksOf, filled } from "../src/handbook.ts";

const page = join(import.meta.dirname, "../../docs/operators/fence-linux-nfs.md");
const namespace = `gwt-fence-${String(process.pid)}`;
const pageBytes = 4096;
let folder: string;
/** Of the script's own folder: a small disk. */
let disk: string;
let script: string;

beforeAll(async () => {
  await run("ip", ["netns", "add", namespace], { what: "making the namespace" });
  folder = await mkdtemp(join(tmpdir(), "godwit-fence-"));
  disk = join(folder, "disk");
  script = join(folder, "godwit-fence-host");
  const text = blocksOf(await readFile(page, "utf8")).find(
    (block) => block.language === "sh" && block.text.includes("godwit-fence-host load"),
  )?.text;
  await mkdir(disk);
  // How long ago an order was given is not what is looked at here.
  const own = { "folder=/etc/godwit-fence": `folder=${disk}`, '"$age" -le 8': '"$age" -le 3600' };
  await writeFile(script, filled(text ?? "", own));
});
afterAll(async () => {
  await run("ip", ["netns", "del", namespace], { what: "removing the namespace" });
  await rm(folder, { recursive: true });
});

const inside = (input: string, ...words: string[]) =>
  spawnSync("ip", ["netns", "exec", namespace, ...words], { input, encoding: "utf8" });
const addresses = ["10.0.3.11", "10.0.3.12"];
/** Whom the kernel lets nothing through of. */
const fenced = (): string[] => {
  const { stdout } = inside("", "nft", "list", "set", "inet", "godwit_fence", "hosts");
  return addresses.filter((address) => stdout.includes(address));
};
/** What the script has noted of them. */
const noted = (): string[] =>
  readdirSync(join(disk, "fenced"), { recursive: true, encoding: "utf8" }).filter((path) =>
    addresses.some((address) => path.endsWith(address)),
  );

const filler = () => join(disk, "filler");
/** @param left so many pages of it */
function fill(left = 0): void {
  const file = openSync(filler(), "a");
  let size = 0;
  try {
    for (;;) size += writeSync(file, Buffer.alloc(pageBytes));
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  } finally {
    closeSync(file);
  }
  truncateSync(filler(), size - left * pageBytes);
}

// Of Debian and its like `sh` is dash, of others bash.
describe.each([["dash"], ["bash", "--posix"]])("the script run by %s", (...shell) => {
  beforeEach(async () => {
    inside("", "nft", "flush", "ruleset");
    await run("mount", ["-t", "tmpfs", "-o", "size=64k,nr_inodes=64", "tmpfs", disk], { what: "mounting" });
    await writeFile(join(disk, "hosts"), `a ${addresses.join(" ")}\nb 10.0.3.99\n`);
    return async () => {
      await run("umount", [disk], { what: "unmounting" });
    };
  });
  const order = (action: string) => {
    const now = Math.floor(Date.now() / 1000);
    const said = { action, datastore: { name: "vms" }, host: { name: "a" } };
    const { status, stderr } = inside(`${String(now)}\n${JSON.stringify(said)}\n`, ...shell, script);
    return { done: status === 0, stderr };
  };
  const load = () => inside("", ...shell, script, "load").status;
  const fails = (action: string) => {
    expect(order(action)).toEqual({
      done: false,
      stderr: expect.stringMatching(/no space left|I\/O error/i) as string,
    });
  };

  test("with room on its disk it fences the host, and gives its access back", () => {
    expect(order("revoke")).toMatchObject({ done: true });
    expect(fenced()).toEqual(addresses);
    expect(order("restore")).toMatchObject({ done: true });
    expect([fenced(), noted()]).toEqual([[], []]);
  });

  test("with none it fails, at each attempt, and leaves nothing that a restart would bring into force", () => {
    fill();
    for (let attempt = 0; attempt < 2; attempt++) fails("revoke");
    expect(noted()).toEqual([]);
    expect(load()).toBe(0);
    expect(fenced()).toEqual([]);
    truncateSync(filler(), 0);
    expect(order("revoke")).toMatchObject({ done: true });
    expect(fenced()).toEqual(addresses);
  });

  test("with room for one of two addresses it fails too, and what it has noted of the host goes by its restoring", () => {
    fill(1);
    for (let attempt = 0; attempt < 2; attempt++) fails("revoke");
    expect(noted()).toHaveLength(1);
    expect(order("restore")).toMatchObject({ done: true });
    expect([fenced(), noted()]).toEqual([[], []]);
  });

  test("a host that was fenced before stays so, also after a restart, until it gets its access back", () => {
    expect(order("revoke")).toMatchObject({ done: true });
    fill();
    fails("revoke");
    inside("", "nft", "flush", "ruleset");
    expect(load()).toBe(0);
    expect(fenced()).toEqual(addresses);
    expect(order("restore")).toMatchObject({ done: true });
    expect(fenced()).toEqual([]);
  });

  test("where what is noted cannot be read nothing is loaded, and what was loaded stays", async () => {
    expect(order("revoke")).toMatchObject({ done: true });
    await rm(join(disk, "fenced"), { recursive: true });
    await writeFile(join(disk, "fenced"), "");
    expect(order("revoke")).toMatchObject({ done: false });
    expect(fenced()).toEqual(addresses);
  });
});
