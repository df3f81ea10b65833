/** The story itself: installation, a VM's life, an upgrade, removal. Each step ends with what must hold then. */
import { deepStrictEqual as equal, ok } from "node:assert/strict";
import { until } from "@godwit/system";
import type { Machine } from "./machine.ts";
import { networks } from "./switches.ts";

const serverUrl = "https://a.example.com:8443";
const guestAddress = `${networks.office.prefix}.20`;

const passphraseFile = "/var/lib/godwit/passphrase";

const description = `name: demo
datastore: shared
memoryMib: 256
vcpus: 1
disks: [{ name: data, image: guest/data.qcow2, format: qcow2 }]
nics: [{ portGroup: office }]
guestAgent: true
boot:
  kernel: guest/kernel
  initrd: guest/initrd
  commandLine: console=ttyS0 quiet panic=-1 no_timer_check godwit.ip=${guestAddress}/24
`;

/** What the handbook leaves to the administrator. */
const settings = `portGroups:
  - { name: office, bridge: br0, uplink: ${networks.office.device} }
datastores:
  - { name: shared, path: /srv/vms, shared: true }
leases: { ioTimeoutSeconds: 2 }
`;

const hosts = `127.0.0.1 localhost
${networks.management.prefix}.11 a.example.com a
${networks.management.prefix}.12 b.example.com b
`;

export interface StoryResult {
  /** Of a bare machine with Debian's packages at hand, in seconds. */
  seconds: { install: number; untilFirstMove: number };
  moves: { from: string; to: string; ms: number }[];
  /** As systemd-analyze security counts it: 0 to 10, less is better. */
  exposure: { server: number; agent: number };
}

export class Story {
  readonly #a: Machine;
  readonly #b: Machine;
  readonly #say: (text: string) => void;
  readonly #guestAnswers: (address: string) => Promise<boolean>;

  /** @param guestAnswers waits until a guest with this address does */
  constructor(
    a: Machine,
    b: Machine,
    say: (text: string) => void,
    guestAnswers: (address: string) => Promise<boolean>,
  ) {
    this.#a = a;
    this.#b = b;
    this.#say = say;
    this.#guestAnswers = guestAnswers;
  }

  /** @throws AssertionError at the first thing that does not hold, PROGRAM_FAILED */
  async run(): Promise<StoryResult> {
    const began = performance.now();
    for (const machine of [this.#a, this.#b]) await machine.write("/etc/hosts", hosts);
    await this.#install();
    for (const machine of [this.#a, this.#b]) await this.#withoutWatchdog(machine);
    const install = seconds(began);
    await this.#initServer();
    for (const machine of [this.#a, this.#b]) await this.#join(machine);
    await this.#startVm();
    const first = await this.#move(this.#a, this.#b);
    const untilFirstMove = seconds(began);
    const moves = [first, await this.#move(this.#b, this.#a)];
    const exposure = {
      server: await this.#exposure("godwit-server"),
      agent: await this.#exposure("godwit-agent"),
    };
    ok(exposure.server <= 3, `godwit-server has exposure ${String(exposure.server)}`);
    await this.#outliveAgent();
    await this.#backUp();
    await this.#remove();
    await this.#restore();
    return { seconds: { install, untilFirstMove }, moves, exposure };
  }

  /** The last words of Godwit's services, for when something does not hold. */
  async journals(): Promise<string> {
    const units = ["--unit", "godwit-server", "--unit", "godwit-agent", "--unit", "sanlock"];
    const words = [this.#a, this.#b].map(async (machine) => {
      const { stdout } = await machine.try("journalctl", "--no-pager", "--lines", "40", ...units);
      return `journal of ${machine.name}:\n${stdout}\n`;
    });
    return (await Promise.all(words)).join("\n");
  }

  /** A namespace has no watchdog, and may not lock memory; a real machine needs neither line. */
  async #withoutWatchdog(machine: Machine): Promise<void> {
    await machine.write("/etc/default/sanlock", 'sanlock_opts="-w 0"\n');
    await machine.write(
      "/etc/systemd/system/sanlock.service.d/namespace.conf",
      "[Service]\nEnvironment=SANLOCK_PRIVILEGED=0\n",
    );
    await machine.run("systemctl", "daemon-reload");
  }

  async #install(): Promise<void> {
    this.#say("installing the packages, without a network");
    await Promise.all([
      aptInstall(this.#a, ["godwit", "godwit-server", "godwit-agent"], ["curl"]),
      aptInstall(this.#b, ["godwit", "godwit-agent"], []),
    ]);
    equal(await this.#a.run("ls", "/etc/postgresql/"), "", "Debian's default database cluster was made");
    const { stdout } = await this.#a.try("systemctl", "is-active", "godwit-server", "godwit-agent");
    equal(stdout.split("\n"), ["inactive", "inactive"], "a service runs before it was set up");
    const lab = await this.#a.try("godwit", "quickstart");
    ok(lab.stderr.includes("needs a checkout of the sources"), lab.stderr);
    ok((await this.#a.run("cat", "/usr/lib/godwit/packaged")).length > 0);
  }

  async #initServer(): Promise<void> {
    this.#say("godwit server init");
    await this.#a.run("godwit", "server", "init");
    equal(await this.#a.run("systemctl", "is-active", "godwit-server"), "active");
    const owner = await this.#a.run("sh", "-c", "ps -o user= -p $(systemctl show -P MainPID godwit-server)");
    equal(owner.trim(), "godwit");
    ok(
      (await this.#a.run("journalctl", "--unit", "godwit-server")).includes("server ready"),
      "its log is not in the journal",
    );
    // Any client checks the certificate by the name that it calls.
    const authority = "/var/lib/godwit/server/pki/ca-cert.pem";
    for (const url of [serverUrl, `https://${networks.management.prefix}.11:8443`]) {
      ok(
        (await this.#a.run("curl", "-sS", "--cacert", authority, `${url}/api/v1/openapi.json`)).includes(
          "openapi",
        ),
      );
    }
  }

  async #join(machine: Machine): Promise<void> {
    this.#say(`godwit host join on ${machine.name}`);
    const token = (await this.#a.run("godwit", "host", "token")).trim();
    const number = machine === this.#a ? 11 : 12;
    const migration = `${networks.migration.prefix}.${String(number)}`;
    await machine.run(
      ...["godwit", "host", "join", "--server", serverUrl],
      ...["--migration-address", migration, "--token", token],
    );
    equal(await machine.run("systemctl", "is-active", "godwit-agent"), "active");
    await machine.write(
      "/etc/godwit/agent.yaml",
      `${await machine.read("/etc/godwit/agent.yaml")}\n${settings}`,
    );
    // Storage is marked once, on one host.
    if (machine === this.#a) await machine.run("godwit", "datastore", "init", "shared");
    await machine.run("systemctl", "restart", "godwit-agent");
  }

  async #startVm(): Promise<void> {
    this.#say("creating and starting VM demo on a");
    await this.#a.write("/root/demo.yaml", description);
    await this.#a.run("godwit", "vm", "create", "/root/demo.yaml", "--host", "a");
    await this.#a.run("godwit", "vm", "start", "demo", "--host", "a");
    await this.#runsOn(this.#a);
  }

  async #move(from: Machine, to: Machine): Promise<{ from: string; to: string; ms: number }> {
    this.#say(`moving demo from ${from.name} to ${to.name}`);
    const began = performance.now();
    // The guest is emulated, and this computer may be busy: how long the pause is says nothing here.
    await this.#a.run("godwit", "vm", "migrate", "demo", "--to", to.name, "--max-outage", "20s");
    const ms = Math.round(performance.now() - began);
    await this.#runsOn(to);
    return { from: from.name, to: to.name, ms };
  }

  /** On this machine and on no other, by their process tables; and its guest answers. */
  async #runsOn(machine: Machine): Promise<void> {
    const running = async (one: Machine) => Number((await one.try("pgrep", "-c", "qemu-system")).stdout);
    const expected = [this.#a, this.#b].map((one) => (one === machine ? 1 : 0));
    equal(
      await Promise.all([running(this.#a), running(this.#b)]),
      expected,
      "it does not run on exactly one",
    );
    ok(await this.#guestAnswers(guestAddress), "the guest does not answer");
  }

  async #exposure(service: string): Promise<number> {
    const text = await this.#a.run("systemd-analyze", "security", "--no-pager", service);
    return Number(/exposure level for \S+ ([\d.]+)/.exec(text)?.[1] ?? NaN);
  }

  async #outliveAgent(): Promise<void> {
    this.#say("stopping, reinstalling and removing the agent below the running VM");
    await this.#a.run("systemctl", "stop", "godwit-agent");
    await this.#runsOn(this.#a);
    await this.#a.run("systemctl", "start", "godwit-agent");
    await aptInstall(this.#a, ["godwit", "godwit-agent"], ["--reinstall"]);
    await this.#runsOn(this.#a);
    const removal = await this.#a.try("apt-get", "remove", "-y", "godwit-agent");
    ok(removal.exitCode !== 0 && removal.stderr.includes("VMs run on this host"), removal.stderr);
    equal(await this.#a.run("systemctl", "is-active", "godwit-agent"), "active");
    await this.#runsOn(this.#a);
  }

  /** As the timer does it each night. */
  async #backUp(): Promise<void> {
    this.#say("backing up the server");
    ok((await this.#a.run("systemctl", "list-timers", "--all")).includes("godwit-server-backup.timer"));
    await this.#a.run("systemctl", "start", "godwit-server-backup");
    equal((await this.#a.try("ls", "/var/backups/godwit")).stdout, "", "a backup was made for nobody");
    await this.#a.write(passphraseFile, "correct horse battery staple\n");
    await this.#a.run("chown", "godwit:", passphraseFile);
    await this.#a.run("chmod", "0600", passphraseFile);
    await this.#a.run(
      ...["sh", "-c", 'echo "BACKUP_OPTIONS=--passphrase-file $0 --keep 2" >>/etc/default/godwit-server'],
      passphraseFile,
    );
    await this.#a.run("systemctl", "start", "godwit-server-backup");
    ok((await this.#a.run("ls", "/var/backups/godwit")).trim().endsWith(".age"));
  }

  /** The server is lost with its folder, while its VM runs. */
  async #restore(): Promise<void> {
    this.#say("installing the server again, and restoring it from its backup");
    await this.#a.run("mv", "/var/lib/godwit/server", "/var/lib/godwit/lost");
    await aptInstall(this.#a, ["godwit", "godwit-server"], []);
    await this.#a.run(
      ...[
        "sh",
        "-c",
        'godwit server restore /var/backups/godwit/*.age --passphrase-file "$0"',
        passphraseFile,
      ],
    );
    await this.#a.run("systemctl", "start", "godwit-server");
    // The agent reports by itself, after a while.
    const isSeen = async () => {
      const { stdout } = await this.#a.try("godwit", "vm", "show", "demo", "--json");
      const { state, host } = JSON.parse(stdout || "{}") as { state?: string; host?: string };
      return state === "running" && host === "a" ? true : null;
    };
    ok(await until(isSeen, { everyMs: 1000, limitMs: 120_000 }), "the restored server does not find the VM");
    await this.#runsOn(this.#a);
  }

  async #remove(): Promise<void> {
    this.#say("purging the agent of b, and the server");
    await this.#b.run("apt-get", "purge", "-y", "godwit-agent");
    equal((await this.#b.try("ls", "/etc/godwit/agent.yaml", "/var/lib/godwit/agent")).stdout, "");
    await this.#a.run("apt-get", "purge", "-y", "godwit-server");
    await this.#a.run("test", "-s", "/var/lib/godwit/server/admin-token");
    ok(
      (await this.#a.run("ls", "/srv/vms/demo")).includes("vm.json"),
      "the VM's folder is not there any more",
    );
    await this.#runsOn(this.#a);
  }
}

const seconds = (since: number): number => Math.round((performance.now() - since) / 100) / 10;

async function aptInstall(
  machine: Machine,
  packages: readonly string[],
  more: readonly string[],
): Promise<void> {
  const files = await machine.run(
    "sh",
    "-c",
    `ls ${packages.map((name) => `/opt/packages/${name}_*.deb`).join(" ")}`,
  );
  await machine.run(
    ...["apt-get", "install", "-q", "-y", "--no-install-recommends", "-o", "APT::Sandbox::User=root"],
    ...[...more, ...files.split("\n").filter(Boolean)],
  );
}
