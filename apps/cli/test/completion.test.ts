/** Completion in the shells themselves: their scripts are loaded there, and propose commands, flags, VMs, hosts and tasks. */
import { execFile, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createAuthority, createKeyAndRequest, issueCertificate } from "@godwit/pki";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import { completionScripts, type Shell } from "../src/completion-scripts.ts";

const main = fileURLToPath(new URL("../src/godwit.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "godwit-completion-"));
let server: Server;
let env: Record<string, string>;

const at = "2026-11-25T00:00:00Z";
const vmOf = (name: string) => ({
  ...{ id: "22222222-2222-4222-8222-222222222222", name, state: "running", host: "a", seenAt: at },
  ...{ memoryMib: 512, vcpus: 1, datastore: "shared" },
});
const hostOf = (name: string) => ({
  ...{ name, state: "connected", maintenance: "off", pool: null, seenAt: at, alarms: [] },
  ...{ agentVersion: null, qemuVersion: null, accelerator: null, logicalCpus: null, usedCpus: null },
  ...{ availableBytes: null, runningVms: null },
});
const task = {
  ...{ id: "0a1b2c3d-0000-4000-8000-000000000000", kind: "vm.stop", description: "stop VM web-1" },
  ...{ subject: { kind: "vm", id: "v", name: "web-1" }, state: "succeeded", revision: 3, steps: [] },
  request: {
    vm: { id: "22222222-2222-4222-8222-222222222222", name: "web-1" },
    ...{ host: "host-a", graceSeconds: 60 },
  },
  ...{
    result: { leaseKept: null },
    error: null,
    waitingFor: null,
    cancellable: false,
    parent: null,
    actor: "admin",
  },
  ...{ createdAt: at, endedAt: at },
};
const answers: Record<string, unknown> = {
  "/api/v1/vm-summaries": { vms: ["db-1", "web-1", "web-2"].map(vmOf), next: null },
  "/api/v1/host-summaries": { hosts: ["host-a", "host-b"].map(hostOf), next: null },
  "/api/v1/tasks": { tasks: [task], next: null },
};

beforeAll(async () => {
  const authority = await createAuthority("test");
  const commonName = "godwit-server";
  const { keyPem, requestPem } = await createKeyAndRequest(commonName);
  const cert = await issueCertificate({
    ...{ authority, requestPem, commonName, unit: "server" },
    ...{ dnsNames: ["localhost"], validDays: 1 },
  });
  server = createServer({ key: keyPem, cert }, (request, response) => {
    const body = answers[new URL(request.url ?? "", "https://x").pathname];
    response.writeHead(body === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(body ?? {}));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, authority.certificatePem);
  const program = join(folder, "godwit");
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
  chmodSync(program, 0o755);
  for (const [shell, script] of Object.entries(completionScripts)) writeFileSync(join(folder, shell), script);
  env = {
    PATH: `${folder}:${process.env.PATH ?? ""}`,
    HOME: folder,
    GODWIT_SERVER: `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    ...{ GODWIT_CA: ca, GODWIT_TOKEN: "the-admin-token" },
  };
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

/** How each shell is asked what it would propose after the words of `$@`, the last one incomplete; with $0: the script. */
const asking: Record<Shell, string[]> = {
  bash: [
    "-c",
    'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _godwit; printf "%s\\n" "${COMPREPLY[@]}"',
  ],
  // What zsh's completion system does with them is shown instead: it wants a terminal.
  zsh: [
    "-fc",
    'compdef() {}; _files() {}; compadd() { shift; print -l -- "$@" }; script=$0; words=("$@"); CURRENT=$#; source $script; _godwit',
  ],
  fish: ["-c", "source $argv[1]; complete -C (string join ' ' -- $argv[2..])"],
};

async function proposed(shell: Shell, words: string[]): Promise<string[]> {
  const line = [...asking[shell], join(folder, shell), "godwit", ...words];
  const { stdout } = await promisify(execFile)(shell, line, { env });
  return stdout.split("\n").filter((text) => text !== "");
}

for (const shell of Object.keys(completionScripts) as Shell[]) {
  const isThere = spawnSync(shell, ["--version"]).status === 0;
  describeWith(shell, isThere ? null : `not installed: ${shell}`, () => {
    test.each([
      { words: ["vm", "mig"], proposals: ["migrate"] },
      { words: ["vm", "migrate", "web"], proposals: ["web-1", "web-2"] },
      { words: ["vm", "migrate", "web-1", "--to", ""], proposals: ["host-a", "host-b"] },
      { words: ["host", "show", "host-b"], proposals: ["host-b"] },
      { words: ["host", "renew-qemu", "host"], proposals: ["host-a", "host-b"] },
      { words: ["task", "show", "0a"], proposals: ["0a1b2c3d"] },
      { words: ["vm", "show", "nothing"], proposals: [] },
    ])("godwit $words: $proposals", async ({ words, proposals }) => {
      expect(await proposed(shell, words)).toEqual(proposals);
    });
  });
}
