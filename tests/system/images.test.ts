/**
 * The library of images: a host downloads one from a server of its network, which its administrator has allowed, also when its agent is
 * killed in the middle; VMs are made from it, and it is deleted without them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildGuest, serverAddress } from "@godwit/lab";
import { createAuthority, createKeyAndRequest, issueCertificate } from "@godwit/pki";
import { run } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

const program = [process.execPath, fileURLToPath(new URL("../../apps/cli/src/godwit.js", import.meta.url))];
const port = 9443;
const url = (path: string) => `https://${serverAddress}:${String(port)}/${path}`;
/** Sends the image as a whole, but its second half only when there is a file `go`, where the path says `slow`. */
const fileServer = `
import { createServer } from "node:https";
import { existsSync, readFileSync } from "node:fs";
const folder = process.argv[2];
const read = (name) => readFileSync(folder + "/" + name);
const options = { key: read("key.pem"), cert: read("cert.pem") };
createServer(options, async (request, response) => {
  const image = read("image.qcow2");
  response.writeHead(200, { "content-length": image.length });
  response.write(image.subarray(0, image.length / 2));
  while (request.url.includes("slow") && !existsSync(folder + "/go")) await new Promise((go) => setTimeout(go, 50));
  response.end(image.subarray(image.length / 2));
}).listen(${String(port)}, "${serverAddress}", () => console.log("ready"));
`;

let lab: TestLab;
let image: Buffer;
let server: ReturnType<typeof spawn>;

beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"] });
  const { folder } = lab.lab;
  const at = (name: string) => join(folder, name);
  image = await readFile((await buildGuest(() => undefined)).disk);
  const authority = await createAuthority("images");
  const { keyPem, requestPem } = await createKeyAndRequest("images");
  const issue = { authority, requestPem, unit: "server" as const, commonName: "images", validDays: 1 };
  const cert = await issueCertificate({ ...issue, ipAddresses: [serverAddress] });
  const files = {
    "ca.pem": authority.certificatePem,
    "key.pem": keyPem,
    "cert.pem": cert,
    "server.mjs": fileServer,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(at(name), text);
  await writeFile(at("image.qcow2"), image);
  const words = ["netns", "exec", lab.lab.namespace("server"), process.execPath, at("server.mjs"), folder];
  server = spawn("ip", words, { stdio: ["ignore", "pipe", "inherit"] });
  if (server.stdout === null) throw new TypeError("it has no output");
  const over = once(server, "exit").then(() => Promise.reject(new Error("the server of images has ended")));
  over.catch(() => undefined);
  await Promise.race([once(server.stdout, "data"), over]);
});
afterAll(async () => {
  server.kill();
  await lab[Symbol.asyncDispose]();
});

const folder = () => join(lab.lab.sharedFolder, "images");
const godwit = async (...words: string[]) =>
  await run(program[0] ?? "", [...program.slice(1), ...words], {
    ...{ what: "asking godwit", timeoutMs: 120_000 },
    env: { GODWIT_LAB: lab.lab.id },
  });
const allowOn = async (name: string) => {
  const host = lab.lab.host(name);
  await host.configure({ images: { allow: [serverAddress], caFile: join(lab.lab.folder, "ca.pem") } });
  await host.endAgent();
  await host.startAgent();
  await connected(name);
};
const connected = async (host: string) => {
  const state = async () => (await lab.api.call("hostShow", { params: { host } })).state;
  await expect.poll(state, { timeout: 60_000 }).toBe("connected");
};

test("an address of the host's own network is not asked before the administrator allows it", async () => {
  const from = { url: url("debian.qcow2") };
  const body = { name: "debian", datastore: "shared", from, host: "a" };
  expect(await lab.ended(lab.api.call("imageAdd", { body }))).toMatchObject({
    state: "failed",
    error: { code: "IMAGE_DOWNLOAD_FORBIDDEN" },
  });
  await allowOn("a");
  const { stdout } = await godwit("image", "add", from.url, "--name", "debian", "--host", "a", "--json");
  expect(JSON.parse(stdout)).toMatchObject({
    state: "succeeded",
    result: { name: "debian", format: "qcow2" },
  });
  const view = await lab.api.call("imageShow", { params: { image: "debian" } });
  expect(await readFile(join(lab.lab.sharedFolder, view.path))).toEqual(image);
  await expect(lab.api.call("imageAdd", { body })).rejects.toMatchObject({ code: "LIBRARY_IMAGE_EXISTS" });
  await expect(lab.api.call("datastoreRemove", { params: { datastore: "shared" } })).rejects.toMatchObject({
    code: "DATASTORE_IN_USE",
  });
});

test("a file of the operator's machine is uploaded, and becomes an image; where a VM lies nothing is written", async () => {
  const file = join(lab.lab.folder, "image.qcow2");
  const { stdout } = await godwit("datastore", "upload", file, "shared:incoming/", "--json");
  expect(JSON.parse(stdout)).toMatchObject({ path: "incoming/image.qcow2", bytes: image.length });
  expect(await readFile(join(lab.lab.sharedFolder, "incoming/image.qcow2"))).toEqual(image);
  await godwit("image", "add", "shared:incoming/image.qcow2", "--name", "uploaded");
  await godwit("image", "delete", "uploaded");
  await expect(godwit("datastore", "upload", file, "shared:incoming/")).rejects.toThrow(/UPLOAD_REFUSED/);
});

test("a VM is made from it by its name, at another host, and runs", async () => {
  await godwit("vm", "create", "web-1", "--image", "debian", "--disk", "512MiB", "--host", "b", "--start");
  const { config } = await lab.vm("web-1");
  expect(config.disks).toMatchObject([{ name: "root", path: "web-1/root.qcow2", format: "qcow2" }]);
  expect(await lab.runnersOf(await lab.vm("web-1"))).toEqual(["b"]);
  await expect(godwit("vm", "create", "web-2", "--image", "fedora", "--host", "b")).rejects.toThrow(
    /There is no image fedora in the library/,
  );
});

test("an agent that is killed in the middle goes on when it is back, and leaves nothing half-done", async () => {
  const body = { name: "slow", datastore: "shared", from: { url: url("slow") }, host: "a" };
  const task = await lab.api.call("imageAdd", { body });
  const parts = async () => (await readdir(folder())).filter((name) => name.startsWith("."));
  await expect.poll(parts, { timeout: 60_000 }).toHaveLength(1);
  await expect(lab.api.call("imageAdd", { body })).rejects.toMatchObject({ code: "LIBRARY_IMAGE_BUSY" });
  const host = lab.lab.host("a");
  await host.endAgent();
  await host.startAgent();
  await writeFile(join(lab.lab.folder, "go"), "");
  await lab.succeeded(Promise.resolve(task));
  await connected("a");
  expect(await parts()).toEqual([]);
});

test("a download that is cancelled, and an image that is deleted, are gone; VMs stay", async () => {
  await run("rm", [join(lab.lab.folder, "go")], { what: "holding the server back" });
  const body = { name: "never", datastore: "shared", from: { url: url("slow") }, host: "a" };
  const task = await lab.api.call("imageAdd", { body });
  await lab.until(task.id, ({ steps }) => steps.some(({ state }) => state === "running"));
  await lab.api.call("taskCancel", { params: { task: task.id } });
  expect(await lab.ended(task)).toMatchObject({ state: "cancelled", error: { code: "IMAGE_ADD_CANCELLED" } });
  for (const name of ["debian", "slow"]) await godwit("image", "delete", name);
  expect(await readdir(folder())).toEqual([]);
  expect((await lab.api.call("imageList", {})).images).toEqual([]);
  expect((await stat(join(lab.lab.sharedFolder, "web-1/root.qcow2"))).size).toBeGreaterThan(0);
});
