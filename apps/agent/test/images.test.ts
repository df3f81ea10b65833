/**
 * Images that a host downloads: from where, what comes of redirects, lies and broken connections, and that nothing is left of what was
 * refused. Against real servers on this machine, which the configuration has to allow.
 */
import { execFileSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile, symlink, writeFile, mkdir } from "node:fs/promises";
import { createServer as createHttp, type RequestListener, type Server } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { GodwitError, type ImageOrder, type TaskId } from "@godwit/contract";
import { createAuthority, createKeyAndRequest, issueCertificate } from "@godwit/pki";
import { ensureUser } from "@godwit/system";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { removeStore, storeFolder, type StoreFolder } from "../../../packages/storage/test/store-folder.ts";
import { mayAsk, networksOf } from "../src/images/address-guard.ts";
import { Images } from "../src/images/images.ts";

let [https, http]: [string, string] = ["", ""];
const servers: Server[] = [];
let store: StoreFolder;
let image: Buffer;
let caFile: string;
let answer: RequestListener;

beforeAll(async () => {
  await ensureUser("godwit-qemu");
  store = await storeFolder();
  const authority = await createAuthority("image test");
  caFile = join(store.base, "ca.pem");
  await writeFile(caFile, authority.certificatePem);
  const { keyPem, requestPem } = await createKeyAndRequest("images");
  const cert = await issueCertificate({
    ...{ authority, requestPem, unit: "server", commonName: "images", dnsNames: ["localhost"], validDays: 1 },
  });
  const listen = async (server: Server) => {
    servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const listener: RequestListener = (request, response) => {
    answer(request, response);
  };
  https = `https://localhost:${String(await listen(createHttps({ key: keyPem, cert }, listener)))}`;
  http = `http://localhost:${String(await listen(createHttp(listener)))}`;
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", join(store.base, "disk.qcow2"), "8M"]);
  image = await readFile(join(store.base, "disk.qcow2"));
});
afterAll(async () => {
  for (const server of servers) server.close().closeAllConnections();
  await removeStore(store);
});
beforeEach(() => {
  answer = (_, response) => response.end(image);
});

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const images = (allow = ["127.0.0.0/8", "::1"], trusts = true) =>
  new Images({
    config: {
      ...{ name: "a", qemu: { user: "godwit-qemu" } },
      images: { allow, largestGib: 1, ...(trusts ? { caFile } : {}) },
    },
    environment: { datastore: () => Promise.resolve(store.store) },
    events: { append: () => undefined } as never,
    log: pino({ level: "silent" }),
  });
const order = (from: ImageOrder["from"], more: Partial<ImageOrder> = {}): ImageOrder => ({
  ...{ id: randomUUID() as TaskId, name: "debian-12", datastore: "vms", from, ...more },
});
const refusal = async (from: ImageOrder["from"], more: Partial<ImageOrder> = {}, of = images()) => {
  const before = await left();
  const error = await of.add(order(from, more)).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(await left()).toEqual(before);
  return GodwitError.is(error) ? `${error.problem.code} ${error.message}` : String(error);
};
const left = async () => await readdir(join(store.folder, "images")).catch(() => []);

test("an image is downloaded once, however often it is asked for, and is what came", async () => {
  const asked = order({ url: `${https}/debian.qcow2`, checksum: `sha256:${sha256(image)}` });
  const [first, second] = [images(), images()];
  const file = await first.add(asked);
  expect(file).toEqual({
    ...{ path: `images/debian-12.${asked.id.slice(0, 8)}.qcow2`, format: "qcow2", bytes: image.length },
    ...{ virtualBytes: 8 * 1048576, sha256: sha256(image) },
  });
  expect(await readFile(join(store.folder, file.path))).toEqual(image);
  answer = (_, response) => response.destroy();
  expect(await second.add(asked)).toEqual(file);
  await second.delete("vms", file.path);
  await second.delete("vms", file.path);
  expect(await left()).toEqual([]);
});

test("a certificate that nobody vouches for, and http without a checksum, are refused", async () => {
  expect(await refusal({ url: `${https}/x` }, {}, images(undefined, false))).toMatch(
    /^IMAGE_DOWNLOAD_FAILED .*(certificate|issuer)/,
  );
  const wrongName = https.replace("localhost", "127.0.0.1");
  expect(await refusal({ url: `${wrongName}/x` })).toMatch(/^IMAGE_DOWNLOAD_FAILED .*(IP|altnames)/i);
  expect(await refusal({ url: `${http}/x` })).toMatch(/^IMAGE_DOWNLOAD_FORBIDDEN .*without a checksum/);
  const { path } = await images().add(order({ url: `${http}/x`, checksum: `sha256:${sha256(image)}` }));
  await images().delete("vms", path);
});

test("what is not of the public Internet is asked only where that is allowed, also after a redirect", async () => {
  expect(await refusal({ url: `${https}/x` }, {}, images([]))).toMatch(
    /^IMAGE_DOWNLOAD_FORBIDDEN .*no address of the public Internet/,
  );
  let asked = 0;
  for (const to of [
    "https://169.254.169.254/latest/meta-data",
    "https://[::ffff:10.0.0.1]/",
    "https://10.0.0.1/",
  ]) {
    answer = (_, response) => {
      asked++;
      response.writeHead(302, { location: to }).end();
    };
    expect(await refusal({ url: `${https}/x` })).toMatch(/^IMAGE_DOWNLOAD_FORBIDDEN /);
  }
  expect(asked).toBe(3);
  for (const to of ["file:///etc/passwd", `${http}/x`, "https://user:secret@localhost/"]) {
    answer = (_, response) => response.writeHead(301, { location: to }).end();
    expect(await refusal({ url: `${https}/x` })).toMatch(/^IMAGE_DOWNLOAD_FORBIDDEN /);
  }
  answer = (request, response) => response.writeHead(302, { location: `${request.url ?? ""}x` }).end();
  expect(await refusal({ url: `${https}/x` })).toMatch(/^IMAGE_DOWNLOAD_FAILED .*redirected more than 5/);
});

test("a page, an error, less than was promised, too much, and a wrong checksum leave nothing", async () => {
  answer = (_, response) => response.end("<html>not here</html>");
  expect(await refusal({ url: `${https}/x` })).toMatch(/^LIBRARY_IMAGE_REFUSED .*no boot sector/);
  answer = (_, response) => response.writeHead(404).end();
  expect(await refusal({ url: `${https}/x` })).toMatch(/^IMAGE_DOWNLOAD_FAILED .*404/);
  answer = (_, response) => {
    response.writeHead(200, { "content-length": image.length });
    response.write(image.subarray(0, 1000), () => response.destroy());
  };
  expect(await refusal({ url: `${https}/x` })).toMatch(/^IMAGE_DOWNLOAD_FAILED .*ended after/);
  answer = (_, response) => response.writeHead(200, { "content-length": 2 ** 31 }).end();
  expect(await refusal({ url: `${https}/x` })).toMatch(/^LIBRARY_IMAGE_REFUSED .*larger than 1024 MiB/);
  answer = (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(image);
  expect(await refusal({ url: `${https}/x` })).toMatch(/^IMAGE_DOWNLOAD_FAILED .*packed/);
  answer = (_, response) => response.end(image);
  const checksum = `sha256:${"0".repeat(64)}`;
  expect(await refusal({ url: `${https}/x`, checksum })).toMatch(/^LIBRARY_IMAGE_CHECKSUM /);
  expect(await refusal({ url: `${https}/x` }, { format: "vmdk" })).toMatch(/said to be vmdk/);
});

test("an image that refers to another file is refused under any name", async () => {
  const backed = join(store.base, "backed.qcow2");
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", "/etc/hostname", backed]);
  const bytes = await readFile(backed);
  answer = (_, response) => response.end(bytes);
  expect(await refusal({ url: `${https}/x.qcow2` })).toMatch(/^LIBRARY_IMAGE_REFUSED .*refers to/);
});

test("a download that is cancelled ends, and leaves nothing", async () => {
  const began = Promise.withResolvers<undefined>();
  answer = (_, response) => {
    response.writeHead(200, { "content-length": image.length });
    response.write(image.subarray(0, 1000), () => {
      began.resolve(undefined);
    });
  };
  const fetching = images();
  const asked = order({ url: `${https}/x` });
  const adding = fetching.add(asked);
  adding.catch(() => undefined);
  await began.promise;
  fetching.cancel(asked.id);
  await expect(adding).rejects.toMatchObject({ code: "IMAGE_ADD_CANCELLED" });
  expect(await left()).toEqual([]);
});

test("a file of a datastore is copied, and a link is not followed; what an earlier agent left unfinished goes", async () => {
  await writeFile(join(store.folder, "upload.qcow2"), image);
  const { path } = await images().add(order({ datastore: "vms", path: "upload.qcow2" }));
  expect(await readFile(join(store.folder, path))).toEqual(image);
  await symlink("/etc/shadow", join(store.folder, "link.qcow2"));
  expect(await refusal({ datastore: "vms", path: "link.qcow2" })).toMatch(/^LIBRARY_IMAGE_REFUSED /);
  const folder = join(store.folder, "images");
  await mkdir(folder, { recursive: true });
  for (const host of ["a", "b"]) await writeFile(join(folder, `.x.12345678.${host}.part`), "half");
  await images().tidy(["vms"]);
  expect((await left()).filter((name) => name.startsWith("."))).toEqual([".x.12345678.b.part"]);
});

test("no private, local or multicast address may be asked; a public one may", () => {
  const none = networksOf([]);
  for (const address of [
    "127.0.0.1",
    "10.1.2.3",
    "172.31.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
  ])
    for (const form of [address, `::ffff:${address}`])
      expect([form, mayAsk(form, none)]).toEqual([form, false]);
  for (const address of [
    "::1",
    "::",
    "fe80::1",
    "fd00::1",
    "ff02::1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:1::",
    "x",
  ])
    expect([address, mayAsk(address, none)]).toEqual([address, false]);
  for (const address of ["8.8.8.8", "151.101.1.1", "2a04:4e42::645"])
    expect(mayAsk(address, none)).toBe(true);
  expect(mayAsk("8.8.8.8", none, ["8.8.8.8"])).toBe(false);
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const [first = 0] = address.split(".").map(Number);
      if ([0, 10, 127].includes(first) || first >= 224) expect(mayAsk(address, none)).toBe(false);
      expect(mayAsk(address, networksOf([`${address}/32`]))).toBe(true);
    }),
  );
});
