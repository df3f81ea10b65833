/** The server is backed up as its timer does it, purged and lost with its folder, and restored, while its VM runs. */
import { deepStrictEqual as equal, ok } from "node:assert/strict";
import { until } from "@godwit/system";
import { aptInstall, type Cluster } from "./cluster.ts";

const passphraseFile = "/var/lib/godwit/passphrase";

/** As the timer does it each night. */
export async function backUp({ a, say }: Cluster): Promise<void> {
  say("backing up the server");
  ok((await a.run("systemctl", "list-timers", "--all")).includes("godwit-server-backup.timer"));
  await a.run("systemctl", "start", "godwit-server-backup");
  equal((await a.try("ls", "/var/backups/godwit")).stdout, "", "a backup was made for nobody");
  await a.write(passphraseFile, "correct horse battery staple\n");
  await a.run("chown", "godwit:", passphraseFile);
  await a.run("chmod", "0600", passphraseFile);
  await a.run(
    ...["sh", "-c", 'echo "BACKUP_OPTIONS=--passphrase-file $0 --keep 2" >>/etc/default/godwit-server'],
    passphraseFile,
  );
  await a.run("systemctl", "start", "godwit-server-backup");
  ok((await a.run("ls", "/var/backups/godwit")).trim().endsWith(".age"));
}

/** VMs and the server's folder outlive the packages. */
export async function purge(cluster: Cluster): Promise<void> {
  const { a, b, say } = cluster;
  say("purging the agent of b, and the server");
  await b.run("apt-get", "purge", "-y", "godwit-agent");
  equal((await b.try("ls", "/etc/godwit/agent.yaml", "/var/lib/godwit/agent")).stdout, "");
  await a.run("apt-get", "purge", "-y", "godwit-server");
  await a.run("test", "-s", "/var/lib/godwit/server/admin-token");
  ok((await a.run("ls", "/srv/vms/demo")).includes("vm.json"), "the VM's folder is not there any more");
  await cluster.runsOn(a);
}

/** The server is lost with its folder, while its VM runs. */
export async function restore(cluster: Cluster): Promise<void> {
  const { a, say } = cluster;
  say("installing the server again, and restoring it from its backup");
  await a.run("mv", "/var/lib/godwit/server", "/var/lib/godwit/lost");
  await aptInstall(a, "now", ["godwit", "godwit-server"]);
  await a.run(
    ...["sh", "-c", 'godwit server restore /var/backups/godwit/*.age --passphrase-file "$0"', passphraseFile],
  );
  await a.run("systemctl", "start", "godwit-server");
  // The agent reports by itself, after a while.
  const isSeen = async () => {
    const { stdout } = await a.try("godwit", "vm", "show", "demo", "--json");
    const { state, host } = JSON.parse(stdout || "{}") as { state?: string; host?: string };
    return state === "running" && host === "a" ? true : null;
  };
  ok(await until(isSeen, { everyMs: 1000, limitMs: 120_000 }), "the restored server does not find the VM");
  await cluster.runsOn(a);
}
