/**
 * What a host can do with its certificate once it is removed, what somebody can with one that the host has renewed since, and what one that is still a member can do with another's
 * VM: it asks a destination to prepare for a VM whose disks are not its own.
 */
import { randomUUID } from "node:crypto";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@godwit/client";
import { serverOperations, type VmDetails } from "@godwit/contract";
import { serverAddress, serverPort } from "@godwit/lab";
import { createKeyAndRequest } from "@godwit/pki";
import { run } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";
import type { Attempt, Outcome } from "./intruder.ts";

const serverUrl = `https://${serverAddress}:${String(serverPort)}`;
const intruder = fileURLToPath(new URL("intruder.ts", import.meta.url));

/** Whatever the machine says of it, it is in the lab's network, at the place of host `at`. */
async function attempt(lab: TestLab, at: string, what: Attempt): Promise<Outcome> {
  const { stdout } = await run(
    "ip",
    ["netns", "exec", lab.lab.namespace(at), process.execPath, intruder, JSON.stringify(what)],
    { what: "attempting what is not allowed" },
  );
  return JSON.parse(stdout) as Outcome;
}

/** New certificates in the place of those that the host has, which it has not used yet. */
async function renew({ lab }: TestLab, pki: string, name: string): Promise<void> {
  const read = async (file: string) => await readFile(join(pki, file), "utf8");
  await using stack = new AsyncDisposableStack();
  const [ca, cert, key] = [
    await read("ca-cert.pem"),
    await read("host-cert.pem"),
    await read("host-key.pem"),
  ];
  const servername = "godwit-server";
  const client = new Client(serverOperations, {
    baseUrl: lab.apiUrl,
    tls: { ca, cert, key, servername, unit: "server" },
  });
  stack.defer(() => client.close());
  const [host, migration] = [await createKeyAndRequest(name), await createKeyAndRequest(name)];
  const body = { certificateRequest: host.requestPem, migrationCertificateRequest: migration.requestPem };
  const { certificate } = await client.call("hostCertificateRenew", { body });
  await writeFile(join(pki, "host-key.pem"), host.keyPem);
  await writeFile(join(pki, "host-cert.pem"), certificate);
}

test("a removed host and a certificate from before a renewal get no connection anywhere, and a member none of another's VM", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b", "c"] });
  await lab.boot({ name: "web-1", on: "a" });
  await lab.create({ name: "bank-1", on: "a" });
  const detailsOf = (vm: string) => lab.api.call("vmShow", { params: { vm } });
  const bank = await detailsOf("bank-1");
  await expect.poll(async () => (await detailsOf("web-1")).user ?? null, { timeout: 60_000 }).not.toBe(null);
  const web = await detailsOf("web-1"); // with the uid of its QEMU, which is no secret
  const hosts = (await lab.api.call("hostList", {})).hosts;
  const urlOf = (host: string) => hosts.find(({ name }) => name === host)?.agentUrl ?? "";
  const pkiOf = (host: string) => join(lab.lab.host(host).stateFolder, "agent/pki");
  const prepare = (from: string, to: string, vm: VmDetails, disks = vm.config.disks) => ({
    prepare: {
      ...{ agentUrl: urlOf(to), host: to },
      order: {
        ...{ id: randomUUID(), vm: { ...vm.config, disks }, from, to: { host: to, agentUrl: urlOf(to) } },
        ...(vm.user ? { qemuUid: vm.user.uid } : {}),
        ...{ maxOutageMs: 50, accelerator: "tcg", strategy: "precopy", bandwidthBytesPerSecond: null },
      },
    },
  });

  // A member: its certificate opens the connection, and the order is checked by the destination.
  const { disks } = bank.config;
  for (const [vm, named, code] of [
    [web, disks, "MOVE_ORDER_REFUSED"], // not its own disks
    [web, web.config.disks, "LEASE_HELD"], // a has it
    [{ ...web, user: null }, web.config.disks, "LEASE_HELD"], // said before that its disks cannot be opened so
    [bank, disks, "MOVE_ORDER_REFUSED"], // nobody has it
  ] as const) {
    const { answer } = await attempt(lab, "c", { pki: pkiOf("c"), ...prepare("c", "b", vm, named) });
    expect(answer).toMatchObject({ type: "gaveUp" });
    expect((answer as { problem: { code: string } }).problem.code).toBe(code);
  }
  expect(await lab.runnersOf(web)).toEqual(["a"]);

  // Renewed: the certificate from before is refused by server and agents as soon as the host uses the new one.
  const before = join(lab.lab.folder, "before");
  await cp(pkiOf("c"), before, { recursive: true });
  await lab.lab.host("c").endAgent();
  await renew(lab, pkiOf("c"), "c");
  expect((await attempt(lab, "c", { pki: before, ...prepare("c", "b", web) })).answer).not.toBe(null);
  await lab.lab.host("c").startAgent();
  for (const to of ["a", "b"])
    await expect
      .poll(async () => (await attempt(lab, "c", { pki: before, ...prepare("c", to, web) })).answer, {
        timeout: 60_000,
      })
      .toBe(null);
  expect(await attempt(lab, "c", { pki: before, server: { url: serverUrl } })).toEqual({
    ...{ answer: null, refused: "CERTIFICATE_INVALID" },
  });
  expect((await attempt(lab, "c", { pki: pkiOf("c"), ...prepare("c", "b", web) })).answer).not.toBe(null);

  // Removed: refused within seconds, by every agent and by the server, also after a restart without the server.
  const stolen = join(lab.lab.folder, "stolen");
  await cp(pkiOf("c"), stolen, { recursive: true });
  await lab.lab.host("c").endAgent();
  await lab.api.call("hostRemove", { params: { host: "c" }, query: { force: "true" } });
  const order = prepare("c", "b", web);
  await expect
    .poll(async () => (await attempt(lab, "c", { pki: stolen, ...order })).answer, { timeout: 60_000 })
    .toBe(null);
  const atServer = await attempt(lab, "c", { pki: stolen, server: { url: serverUrl } });
  expect(atServer).toEqual({ answer: null, refused: "CERTIFICATE_INVALID" });
  await lab.lab.server.end();
  await lab.lab.host("b").endAgent();
  await lab.lab.host("b").startAgent();
  for (const to of ["a", "b"])
    expect((await attempt(lab, "c", { pki: stolen, ...prepare("c", to, web) })).answer).toBe(null);

  // Those that are members still move their VMs.
  await lab.lab.server.start();
  await expect
    .poll(async () => (await lab.api.call("hostShow", { params: { host: "b" } })).state)
    .toBe("connected");
  await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } }));
  expect(await lab.runnersOf(web)).toEqual(["b"]);
});
