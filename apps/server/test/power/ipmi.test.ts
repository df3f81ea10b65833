/** What ipmitool is asked, and how: by a program in its place that keeps its arguments and has a chassis that is on or off. */
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ipmi } from "../../src/power/ipmi.ts";

let folder: string;
const path = process.env["PATH"] ?? "";
const controller = { address: "192.0.2.9", port: 623, user: "godwit", password: "s3cret", cipherSuite: 17 };
const program = (text: string) => `#!/bin/sh
cd $(dirname "$0")
echo "$@" >> arguments
echo "$IPMI_PASSWORD" > password
${text}`;
/** As ipmitool 1.8.19 says it. */
const works = program(`for word; do what=$word; done
case $what in
on) echo on > power; echo "Chassis Power Control: Up/On" ;;
off) echo off > power; echo "Chassis Power Control: Down/Off" ;;
soft) echo "Chassis Power Control: Soft" ;;
status) echo "Chassis Power is $(cat power)" ;;
esac
`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-ipmi-"));
  process.env["PATH"] = `${folder}:${path}`;
});
afterAll(async () => {
  process.env["PATH"] = path;
  await rm(folder, { recursive: true });
});
async function install(text: string): Promise<void> {
  await writeFile(join(folder, "ipmitool"), text);
  await chmod(join(folder, "ipmitool"), 0o755);
  await writeFile(join(folder, "arguments"), "");
  await writeFile(join(folder, "power"), "on\n");
}
const asked = async () => (await readFile(join(folder, "arguments"), "utf8")).trim().split("\n");

test("a host is shut down, cut and turned on; what is so already is not asked for; the password is in no argument", async () => {
  await install(works);
  const control = ipmi(controller);
  expect(await control.power()).toBe("on");
  await control.turnOn();
  await control.shutDown?.();
  await control.cut?.();
  expect(await control.power()).toBe("off");
  await control.cut?.();
  await control.turnOn();
  const all = await asked();
  const to = "-I lanplus -C 17 -H 192.0.2.9 -p 623 -U godwit -E chassis power ";
  expect(all.every((line) => line.startsWith(to))).toBe(true);
  expect(all.map((line) => line.slice(to.length)).filter((what) => what !== "status")).toEqual([
    "soft",
    "off",
    "on",
  ]);
  expect(all.join()).not.toContain("s3cret");
  expect(await readFile(join(folder, "password"), "utf8")).toBe("s3cret\n");
});

test("what ipmitool fails with, or says that is not understood, is an error, never a guess", async () => {
  await install(
    program(`printf 'Error: Unable to establish \\033[31mIPMI v2 / RMCP+ session\\n' >&2; exit 1\n`),
  );
  await expect(ipmi(controller).power()).rejects.toThrow(
    "ipmitool says: Error: Unable to establish ?[31mIPMI v2 / RMCP+ session",
  );
  await install(program("echo Chassis Power is onward\n"));
  await expect(ipmi(controller).turnOn()).rejects.toThrow("ipmitool does not say whether the host is on");
  expect(await asked()).toHaveLength(1);
});
