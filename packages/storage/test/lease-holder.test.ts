/** The holder of a lease alone, without sanlock: what it does of its own when QEMU has to end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { appendFile, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "@godwit/system";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("../src/leases/lease-holder.pl", import.meta.url));

/** In a view of its own, where a file stands for the kernel's limit of the group that it runs in. */
const throttled = `
group=$(sed -n 's/^0:://p' /proc/self/cgroup)
mount -t tmpfs none /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup$group"
echo "2000 20000" >"/sys/fs/cgroup$group/cpu.max"
exec perl "$1" "$2"`;

test.each([
  ["the lease is given back", "order"],
  ["the lease cannot be kept", "SIGTERM"],
] as const)("QEMU ends without a limit of its CPUs when %s", async (_, by) => {
  const folder = await mkdtemp(join(tmpdir(), "gw-holder-"));
  await using _folder = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
  // The pipe is a socket, as the connection to sanlock is.
  const holder = spawn("unshare", ["--mount", "sh", "-euc", throttled, "sh", program, folder], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const ended = once(holder, "exit");
  await using _holder = {
    [Symbol.asyncDispose]: async () => {
      holder.kill("SIGKILL");
      await ended;
    },
  };
  const there = (name: string) =>
    until(() => existsSync(join(folder, name)), { everyMs: 5, limitMs: 60_000 });
  expect(await there("ready")).toBe(true);
  await writeFile(join(folder, "argv"), [join(folder, "log"), "/bin/sleep", "1000"].join("\0"));
  await appendFile(join(folder, "orders"), "launch\n");
  expect(await there("log")).toBe(true);
  const { pid } = holder;
  const group = /^0::(\/.*)$/m.exec(await readFile(`/proc/${String(pid)}/cgroup`, "utf8"))?.[1] ?? "";
  // Opened now: the view is gone with the holder.
  await using limit = await open(`/proc/${String(pid)}/root/sys/fs/cgroup${group}/cpu.max`);
  const limitNow = async () =>
    (await limit.read(Buffer.alloc(100), 0, 100, 0)).buffer.toString().split("\n")[0];
  expect(await limitNow()).toBe("2000 20000");
  if (by === "order") await appendFile(join(folder, "orders"), "end\n");
  else holder.kill(by);
  expect(await there("ended")).toBe(true);
  expect(await limitNow()).toBe("max");
});
