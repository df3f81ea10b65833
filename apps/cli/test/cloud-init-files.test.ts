/** What guests are to be told, from files: what cloud-init would pass over is refused, and no word of it is repeated. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { afterAll, expect, test } from "vitest";
import { networkConfigIn, readCloudInit, sshKeysIn, userDataIn } from "../src/cloud-init-files.ts";

const folder = mkdtempSync(join(tmpdir(), "godwit-cloud-init-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const file = (name: string, text: string | Buffer): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJpVBqZvqk0p3v3rQ4oJx0Z0m2r5mJk3yq9d8J0c9fHk me@desk";
const other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOtherOtherOtherOtherOtherOtherOtherOtherOthe";

const refusal = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (GodwitError.is(error)) return error.message;
    throw error;
  }
  return "";
};

test("without flags there is nothing to be told", async () => {
  expect(await readCloudInit({})).toBeUndefined();
  expect(await readCloudInit({ hostname: "web" })).toEqual({ hostname: "web" });
});

test("files become keys, user data as they are, and a network configuration", async () => {
  const userData = "#cloud-config\npackages: [nginx]\n";
  const given = {
    sshKey: [file("a.pub", `${key}\n`), file("keys", `# mine\n\n${key}\r\n${other}\n`)],
    userData: file("user.yaml", userData),
    networkConfig: file("net.yaml", "version: 2\nethernets: {}\n"),
  };
  expect(await readCloudInit(given)).toEqual({
    ...{ sshKeys: [key, other], userData, networkConfig: "version: 2\nethernets: {}\n" },
  });
});

test.each([
  "#cloud-config\n",
  "#cloud-config\n# nothing\n",
  "#!/bin/sh\n: [",
  "## template: jinja\n#cloud-config\na: {{ v }}\n",
  "#cloud-config-archive\n- type: text/plain\n",
  "Content-Type: multipart/mixed; boundary=x\n",
  "#include\nhttps://example.org/x\n",
])("user data of a format that cloud-init knows are taken: %j", (text) => {
  expect(userDataIn(text, "user")).toBe(text);
});

test("what cloud-init would pass over is refused with the place, and without its words", () => {
  expect(refusal(() => userDataIn("packages: [nginx]\n", "u.yaml"))).toContain("would pass over u.yaml");
  const broken = refusal(() => userDataIn("#cloud-config\na: 1\npassword: 'hunter2\nb: [\n", "u.yaml"));
  expect(broken).toContain("u.yaml is no YAML, at line");
  expect(broken).not.toContain("hunter2");
  expect(refusal(() => userDataIn("#cloud-config\n- a\n", "u.yaml"))).toContain("no YAML of keys and values");
  expect(refusal(() => networkConfigIn("", "n.yaml"))).toContain("--network-config: n.yaml");
  const bomb = `a: &a [x]\n${"bcdefghi".replace(/./g, (c, at: number) => `${c}: &${c} [${`*${"abcdefgh"[at] ?? ""},`.repeat(9)}]\n`)}`;
  expect(refusal(() => networkConfigIn(bomb, "n.yaml"))).toContain("aliases");
});

test("a private key is never sent, and what is no key is told with its flag", async () => {
  expect(refusal(() => sshKeysIn("-----BEGIN OPENSSH PRIVATE KEY-----\n", "id"))).toContain("private key");
  expect(refusal(() => sshKeysIn("\n# none\n", "id"))).toContain("no key");
  const invalid = readCloudInit({ sshKey: [file("b.pub", "hello\n")], hostname: "a b" });
  await expect(invalid).rejects.toThrow(/--hostname: .*; --ssh-key: must be a public SSH key/);
  await expect(readCloudInit({ userData: join(folder, "none") })).rejects.toMatchObject({
    code: "FILE_UNREADABLE",
  });
  const large = file("large", `#!/bin/sh\n${"x".repeat(70_000)}`);
  await expect(readCloudInit({ userData: large })).rejects.toThrow("--user-data: must have 64 KiB at most");
  await expect(readCloudInit({ userData: file("huge", Buffer.alloc(2 ** 20, "x")) })).rejects.toMatchObject({
    code: "FILE_UNREADABLE",
  });
});
