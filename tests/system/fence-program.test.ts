/** A host that is silent while its storage is still there, fenced by a program that a storage server is changed by: here tgt, a real iSCSI target. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  buildGuest,
  hostAddress,
  qemuProcessesOf,
  serverAddress,
  setLink,
  startIscsiTarget,
} from "@godwit/lab";
import { run, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

const pool = { pool: "east" };
const vmParams = { vm: "web-1" };
const san = { datastore: "san" };
const lun = { name: "data", datastore: "san", image: "lun-1", take: true, format: "raw" as const };
const waitMs = 240_000;

/** As an operator would write it: a host is known by the address that it has at the target. */
const program = (control: string) => `#!/bin/sh
set -eu
export TGT_IPC_SOCKET=${control}
order=$(cat)
field() { printf %s "$order" | sed -n "s/.*\\"$1\\":\\"\\([^\\"]*\\)\\".*/\\1/p"; }
tgt() { tgtadm -C 3 --lld iscsi --tid 1 "$@"; }
address=$(field agent)
bound() { tgtadm -C 3 --lld iscsi --mode target --op show | grep -q "^ *$address\\$"; }
connections() {
  tgt --mode conn --op show | awk -v address="$address" '
    $1 == "Session:" { sid = $2 } $1 == "Connection:" { cid = $2 } $0 ~ "IP Address: " address "$" { print sid, cid }'
}
case $(field action) in
check)
  tgtadm -C 3 --lld iscsi --mode target --op show >/dev/null
  ;;
restore)
  bound || tgt --mode target --op bind -I "$address"
  ;;
revoke)
  ! bound || tgt --mode target --op unbind -I "$address"
  for try in $(seq 50); do
    left=$(connections)
    test -n "$left" || exit 0
    echo "$left" | while read -r sid cid; do tgt --mode conn --op delete --sid "$sid" --cid "$cid" || true; done
    sleep 0.2
  done
  echo "connections are left: $left" >&2
  exit 1
  ;;
*)
  echo "unknown action" >&2
  exit 2
  ;;
esac
`;

test("a host that is silent, with its storage there, loses it to a fence program; its VM runs elsewhere with all that it had acknowledged", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"], qemu: { a: "7.2", b: "7.2" } });
  const { api } = lab;
  const backing = join(lab.lab.folder, "lun");
  const { disk } = await buildGuest(() => undefined);
  await run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", disk, backing], { what: "filling the LUN" });
  const folder = join(lab.lab.folder, "iscsi");
  const namespace = lab.lab.namespace("server");
  await using server = await startIscsiTarget({ namespace, folder, address: serverAddress, backing });
  const env = { TGT_IPC_SOCKET: join(folder, "control") };
  const tgt = async (...words: string[]) =>
    (
      await run("tgtadm", ["-C", "3", "--lld", "iscsi", "--tid", "1", ...words], {
        what: "asking the target",
        env,
      })
    ).stdout;
  // Each by its address, so that one can be taken out.
  await tgt("--mode", "target", "--op", "unbind", "-I", "ALL");
  for (const index of [0, 1])
    await tgt("--mode", "target", "--op", "bind", "-I", hostAddress("management", index));
  const clients = async () =>
    [...(await tgt("--mode", "conn", "--op", "show")).matchAll(/IP Address: (\S+)/g)].map(([, at]) => at);

  await api.call("datastoreAdd", {
    body: {
      ...{ name: "san", shared: true },
      source: { kind: "iscsi", portal: serverAddress, target: server.target },
    },
  });
  const onA = async () =>
    (await api.call("datastoreShow", { params: san })).hosts.find(({ host }) => host === "a");
  await expect.poll(async () => (await onA())?.state).toBe("available");
  const fences = lab.lab.server.fenceFolder;
  await mkdir(fences, { recursive: true, mode: 0o755 });
  const set = (fenceProgram: string | null) =>
    api.call("datastoreSet", { params: san, body: { fenceProgram } });
  await expect(set("tgt")).rejects.toMatchObject({ code: "FENCE_PROGRAM_UNUSABLE" });
  await writeFile(join(fences, "tgt"), program(env.TGT_IPC_SOCKET), { mode: 0o755 });
  expect(await set("tgt")).toMatchObject({ fenceProgram: "tgt" });

  const vm = await lab.boot({ on: "a", disks: [lun] });
  await api.call("poolCreate", { body: { name: "east", hosts: ["a", "b"] } });
  await api.call("poolRestartSet", { params: pool, body: { enabled: true } });
  await using load = await lab.load();

  // Neither the server nor the storage of its leases hears of the host any more; QEMU runs on, with its disk.
  const stood = [lab.lab.host("a").agent?.pid ?? 0, await sanlockOf(lab, "a")];
  for (const pid of stood) process.kill(pid, "SIGSTOP");
  const seen: string[] = [];
  const fenced = await until(
    async () => {
      const { vms } = await api.call("poolRestarts", { params: pool });
      for (const { state, reason } of vms) seen.push(`${state}: ${reason}`);
      return (await onA())?.revoked?.state === "revoked";
    },
    { everyMs: 500, limitMs: waitMs },
  );
  expect(fenced, seen.join("\n")).not.toBeNull();
  // From here on two guests have one address; the client is to find the new one.
  await setLink(lab.lab.id, "a", "office", false);
  const runs = await until(
    async () => {
      const { host, state } = await lab.vm("web-1");
      return host === "b" && state === "running";
    },
    { everyMs: 500, limitMs: waitMs },
  );
  expect(runs, seen.join("\n")).not.toBeNull();
  // Not when its lease had run out: that was broken, and has a successor.
  const { version } = await api.call("vmLeaseShow", { params: vmParams });
  expect(version).toBeGreaterThan(1_000_000_000);
  // The old QEMU is there, and has the disk no more.
  expect(
    (await qemuProcessesOf(lab.lab)).filter(({ vmId }) => vmId === vm.id).map(({ host }) => host),
  ).toEqual(expect.arrayContaining(["a", "b"]));
  expect(new Set(await clients())).toEqual(new Set([hostAddress("management", 1)]));
  expect([await reads(lab, "a", server.target), await reads(lab, "b", server.target)]).toEqual([false, true]);
  load.reconnect();

  for (const pid of stood) process.kill(pid, "SIGCONT");
  await expect
    .poll(async () => (await qemuProcessesOf(lab.lab)).map(({ host }) => host), { timeout: waitMs })
    .toEqual(["b"]);
  await setLink(lab.lab.id, "a", "office", true);
  const alarms = async () =>
    (await api.call("hostShow", { params: { host: "a" } })).alarms.map(({ code }) => code);
  await expect.poll(async () => (await onA())?.state, { timeout: waitMs }).toBe("unavailable");
  expect(await alarms()).toContain("DATASTORE_ACCESS_REVOKED");
  expect((await lab.findings("web-1", "a")).map(({ code }) => code)).toContain("DATASTORE_UNAVAILABLE");
  for (const [refused, code] of [
    [() => set(null), "DATASTORE_ACCESS_REVOKED"],
    [() => api.call("datastoreRemove", { params: san, query: { host: "a" } }), "DATASTORE_ACCESS_REVOKED"],
  ] as const)
    await expect(refused()).rejects.toMatchObject({ code });

  // The lab's hosts share the boot of their machine: an operator says that it was restarted.
  const restore = { params: san, body: { host: "a", hostWasRestarted: true as const } };
  await api.call("datastoreRestore", restore);
  await expect.poll(async () => (await onA())?.state, { timeout: waitMs }).toBe("available");
  expect(await alarms()).not.toContain("DATASTORE_ACCESS_REVOKED");
  // Its sanlock may have to join again.
  const against = async () =>
    (await lab.findings("web-1", "a")).filter(({ severity }) => severity === "error").map(({ code }) => code);
  await expect.poll(against, { timeout: waitMs }).toEqual([]);
  await lab.succeeded(api.call("vmMigrate", { params: vmParams, body: { to: "a", maxOutageMs: 5000 } }));
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0 });
});

async function sanlockOf(lab: TestLab, host: string): Promise<number> {
  const path = join(lab.lab.host(host).folder, "run/sanlock/sanlock.pid");
  return Number.parseInt(await readFile(path, "utf8"), 10);
}

/** Whether the target lets a host's QEMU in, as its client names itself. */
async function reads(lab: TestLab, host: string, target: string): Promise<boolean> {
  const place = [
    ...["driver=raw", "file.driver=iscsi", "file.transport=tcp", `file.portal=${serverAddress}:3260`],
    ...[`file.target=${target}`, "file.lun=1", `file.initiator-name=iqn.2008-11.org.linux-kvm:${host}`],
  ].join(",");
  const look = ["timeout", "30", "qemu-img", "info", "--force-share", "--image-opts", place];
  return await run("ip", ["netns", "exec", lab.lab.namespace(host), ...look], {
    what: "reading the LUN",
  }).then(
    () => true,
    () => false,
  );
}
