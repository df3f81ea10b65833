/** Shapers of interfaces, as `tc` tells them: of one that is removed meanwhile, and of one that it fails to tell. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { interfacesIn, shapedBitsPerSecond } from "../src/iproute.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-tc-"));
  vi.stubEnv("PATH", `${folder}:${process.env.PATH ?? ""}`);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** A `tc` that lists the interface, and fails to tell its classes. */
const tcWith = async (dev: string): Promise<void> => {
  const qdiscs = JSON.stringify([
    { dev: "tbf0", kind: "tbf", root: true, options: { rate: 125e6 } },
    { dev, kind: "htb", root: true },
  ]);
  const script = `#!/bin/sh\n[ "$2" = qdisc ] && echo '${qdiscs}' && exit 0\necho "Cannot find device" >&2\nexit 1\n`;
  await writeFile(join(folder, "tc"), script, { mode: 0o755 });
};

const shaped = interfacesIn('[{"ifname":"eth0","flags":["UP"],"mtu":1500,"qdisc":"htb"}]');

test("an interface that is removed while its shaper is looked at has none, and the others are told", async () => {
  await tcWith("gone0");
  expect([...(await shapedBitsPerSecond(shaped))]).toEqual([["tbf0", 1e9]]);
});

test("of an interface that is there, the failure to look is told", async () => {
  await tcWith("lo");
  await expect(shapedBitsPerSecond(shaped)).rejects.toMatchObject({ code: "PROGRAM_FAILED" });
});

test("where no interface has a shaper, none is asked for", async () => {
  await tcWith("lo");
  const plain = interfacesIn(
    '[{"ifname":"lo","flags":["UP"],"mtu":65536,"qdisc":"noqueue"},{"ifname":"eth0","flags":["UP"],"mtu":1500,"qdisc":"mq"}]',
  );
  expect(await shapedBitsPerSecond(plain)).toEqual(new Map());
});
