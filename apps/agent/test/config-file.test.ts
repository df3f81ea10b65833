/** What `host join` writes into a host's configuration. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { completeAgentConfig, readAgentConfig } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "godwit-config-file-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const path = join(folder, "agent.yaml");
const shipped = readFileSync(new URL("../../../packaging/files/agent.yaml", import.meta.url), "utf8");

test("the commented file of the package becomes a configuration, and keeps its comments", async () => {
  writeFileSync(path, shipped);
  await completeAgentConfig(path, { server: "https://127.0.0.1:8443", migrationAddress: "10.0.2.11" });
  expect(await readAgentConfig(path)).toMatchObject({
    name: hostname().split(".")[0]?.toLowerCase(),
    listen: { address: "127.0.0.1", port: 8444 },
    server: { url: "https://127.0.0.1:8443" },
    migration: { address: "10.0.2.11" },
  });
  const text = readFileSync(path, "utf8");
  for (const line of shipped.split("\n")) expect(text).toContain(line);
});

test("what the file says stays, and is not contradicted", async () => {
  const before =
    "name: a # ours\nlisten: { address: 10.0.1.11 } # management\nserver: { url: https://10.0.1.2:8443 }\n";
  writeFileSync(path, before);
  await completeAgentConfig(path, { name: "a" });
  expect(readFileSync(path, "utf8")).toBe(before);
  await expect(completeAgentConfig(path, { name: "b" })).rejects.toMatchObject({
    code: "USAGE",
    message: `${path} says name: "a", not "b".`,
  });
  expect(readFileSync(path, "utf8")).toBe(before);
});

test("without a server nothing is written", async () => {
  writeFileSync(path, shipped);
  await expect(completeAgentConfig(path, { name: "a" })).rejects.toMatchObject({ code: "USAGE" });
  expect(readFileSync(path, "utf8")).toBe(shipped);
});
