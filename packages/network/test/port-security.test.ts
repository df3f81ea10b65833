/** The filter of VMs' ports, where nft fails for a time or others remove what it holds. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "@godwit/system";
import { afterAll, beforeAll, expect, test } from "vitest";

const namespace = `gwt-net-${String(process.pid)}p`;
const program = fileURLToPath(new URL("in-namespace.ts", import.meta.url));
let folder: string;
const inside = async (...words: string[]) =>
  await run("ip", ["netns", "exec", namespace, ...words], {
    what: "acting in the namespace",
    timeoutMs: 240_000,
  });
/** One after the other by the same program. @returns the outcome of the last one */
async function inOrder(...calls: [name: string, ...args: unknown[]][]): Promise<unknown> {
  const words = calls.flatMap(([name, ...args]) => [name, JSON.stringify(args)]);
  const path = `PATH=${folder}:${process.env["PATH"] ?? ""}`;
  return JSON.parse((await inside("env", path, process.execPath, program, ...words)).stdout);
}
const tap = "gw0f3a5b7c9d0";
const secured = (mac: string): [string, ...unknown[]] => ["securePorts", [{ tap, mac, addresses: null }]];
const listed = async () => (await inside("nft", "list", "table", "bridge", "godwit")).stdout;

beforeAll(async () => {
  await run("ip", ["netns", "add", namespace], { what: "making the namespace" });
  folder = await mkdtemp(join(tmpdir(), "godwit-network-"));
  const { stdout: nft } = await run("sh", ["-c", "command -v nft"], { what: "looking for nft" });
  const refuse = `echo "Error: Could not process rule: Resource temporarily unavailable" >&2; exit 1`;
  await writeFile(
    join(folder, "nft"),
    `#!/bin/sh\nif [ -e ${folder}/broken ]; then ${refuse}; fi\nexec ${nft} "$@"\n`,
  );
  await chmod(join(folder, "nft"), 0o755);
});
afterAll(async () => {
  await run("ip", ["netns", "del", namespace], { what: "removing the namespace" });
  await rm(folder, { recursive: true });
});

test("a look that failed is made again: the MAC address that a VM had before is not left to it", async () => {
  const [old, own] = ["52:54:00:00:00:01", "52:54:00:00:00:02"];
  expect(await inOrder(secured(old))).toMatchObject({ value: null });
  const broken = join(folder, "broken");
  const during: [string, ...unknown[]][] = [
    ["run", "touch", broken],
    ["releasePorts", [tap]],
  ];
  expect(await inOrder(...during)).toMatchObject({ code: "PROGRAM_FAILED" });
  expect(await inOrder(["run", "rm", broken], ...during, ["run", "rm", broken], secured(own))).toMatchObject({
    value: null,
  });
  const text = await listed();
  expect(text).toContain(own);
  expect(text).not.toContain(old);
});

test("a port is released also after others removed the whole filter", async () => {
  const flush: [string, ...unknown[]] = ["run", "nft", "flush", "ruleset"];
  expect(await inOrder(secured("52:54:00:00:00:01"), flush, ["releasePorts", [tap]])).toMatchObject({
    value: null,
  });
  expect(await listed()).not.toContain(tap);
});

test("a port that others let send what it likes is found, once", async () => {
  const flush: [string, ...unknown[]] = ["run", "nft", "flush", "ruleset"];
  const own = secured("52:54:00:00:00:01");
  const look: [string, ...unknown[]] = ["lostPorts"];
  expect(await inOrder(own, look)).toMatchObject({ value: [] });
  const addresses = ["10.9.8.1", "fd00::a"];
  const second = "gw0f3a5b7c9d1";
  const both = [
    { tap, mac: "52:54:00:00:00:01", addresses },
    { tap: "gw0f3a5b7c9d1", mac: null, addresses },
  ];
  expect(await inOrder(["securePorts", both], look)).toMatchObject({ value: [] });
  expect(await inOrder(["releasePorts", [second]])).toMatchObject({ value: null });
  expect(await inOrder(own, flush, look)).toMatchObject({ value: [tap] });
  expect(await inOrder(own, flush, look, own, look)).toMatchObject({ value: [] });
  expect(await inOrder(own, ["releasePorts", [tap]], flush, look)).toMatchObject({ value: [] });
});
