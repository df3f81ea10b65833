/** The story's two machines as a cluster: what an administrator does there, and what is asked of guest and process tables. */
import { deepStrictEqual as equal, ok } from "node:assert/strict";
import { until } from "@godwit/system";
import type { Machine } from "./machine.ts";
import { networks } from "./switches.ts";

const serverUrl = "https://a.example.com:8443";
const guestAddress = `${networks.office.prefix}.20`;

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

/** Of this computer, and busy with other work: how long a pause is says nothing here. */
const anyPause = ["--max-outage", "20s"];

/** Which packages: those that are tried, or those of the version before. */
export type Version = "now" | "before";

export interface Move {
  from: string;
  to: string;
  ms: number;
}

export class Cluster {
  readonly a: Machine;
  readonly b: Machine;
  readonly say: (text: string) => void;
  readonly #guestAnswers: (address: string) => Promise<boolean>;

  /** @param guestAnswers waits until a guest with this address does */
  constructor(
    a: Machine,
    b: Machine,
    say: (text: string) => void,
    guestAnswers: (address: string) => Promise<boolean>,
  ) {
    this.a = a;
    this.b = b;
    this.say = say;
    this.#guestAnswers = guestAnswers;
  }

  get machines(): Machine[] {
    return [this.a, this.b];
  }

  async install(version: Version): Promise<void> {
    this.say("installing the packages, without a network");
    for (const machine of this.machines) await machine.write("/etc/hosts", hosts);
    await Promise.all([
      aptInstall(this.a, version, ["godwit", "godwit-server", "godwit-agent"], ["curl"]),
      aptInstall(this.b, version, ["godwit", "godwit-agent"]),
    ]);
    equal(await this.a.run("ls", "/etc/postgresql/"), "", "Debian's default database cluster was made");
    const { stdout } = await this.a.try("systemctl", "is-active", "godwit-server", "godwit-agent");
    equal(stdout.split("\n"), ["inactive", "inactive"], "a service runs before it was set up");
    const lab = await this.a.try("godwit", "quickstart");
    ok(lab.stderr.includes("needs a checkout of the sources"), lab.stderr);
    ok((await this.a.run("cat", "/usr/lib/godwit/packaged")).length > 0);
    for (const machine of this.machines) await withoutWatchdog(machine);
  }

  async initServer(): Promise<void> {
    this.say("godwit server init");
    await this.a.run("godwit", "server", "init");
    equal((await this.a.run("systemctl", "is-active", "godwit-server")).trim(), "active");
    const owner = await this.a.run("sh", "-c", "ps -o user= -p $(systemctl show -P MainPID godwit-server)");
    equal(owner.trim(), "godwit");
    ok(
      (await this.a.run("journalctl", "--unit", "godwit-server")).includes("server ready"),
      "its log is not in the journal",
    );
    // Any client checks the certificate by the name that it calls.
    const authority = "/var/lib/godwit/server/pki/ca-cert.pem";
    for (const url of [serverUrl, `https://${networks.management.prefix}.11:8443`]) {
      const document = await this.a.run("curl", "-sS", "--cacert", authority, `${url}/api/v1/openapi.json`);
      ok(document.includes("openapi"));
    }
  }

  async join(machine: Machine): Promise<void> {
    this.say(`godwit host join on ${machine.name}`);
    const token = (await this.a.run("godwit", "host", "token")).trim();
    const number = machine === this.a ? 11 : 12;
    const migration = `${networks.migration.prefix}.${String(number)}`;
    await machine.run(
      ...["godwit", "host", "join", "--server", serverUrl],
      ...["--migration-address", migration, "--token", token],
    );
    await machine.run("systemctl", "is-active", "godwit-agent");
    await machine.write(
      "/etc/godwit/agent.yaml",
      `${await machine.read("/etc/godwit/agent.yaml")}\n${settings}`,
    );
    // Storage is marked once, on one host.
    if (machine === this.a) await machine.run("godwit", "datastore", "init", "shared");
    await machine.run("systemctl", "restart", "godwit-agent");
  }

  async startVm(): Promise<void> {
    this.say("creating and starting VM demo on a");
    await this.a.write("/root/demo.yaml", description);
    await this.a.run("godwit", "vm", "create", "/root/demo.yaml", "--host", "a");
    await this.a.run("godwit", "vm", "start", "demo", "--host", "a");
    await this.runsOn(this.a);
  }

  async move(from: Machine, to: Machine): Promise<Move> {
    this.say(`moving demo from ${from.name} to ${to.name}`);
    const began = performance.now();
    await this.a.run("godwit", "vm", "migrate", "demo", "--to", to.name, ...anyPause);
    const ms = Math.round(performance.now() - began);
    await this.runsOn(to);
    return { from: from.name, to: to.name, ms };
  }

  /** Starts a move that takes its time. @returns its task's end: whatever it is, a VM runs on one host then */
  async beginSlowMove(to: Machine): Promise<{ ended: () => Promise<string> }> {
    this.say(`beginning a slow move of demo to ${to.name}`);
    const words = ["godwit", "vm", "migrate", "demo", "--to", to.name, ...anyPause];
    const task = await this.a.run(...words, "--bandwidth", "30", "--detach", "--json");
    const { id } = JSON.parse(task) as { id: string };
    const ended = async () => {
      const { stdout } = await this.a.try("godwit", "task", "show", id, "--json");
      const { state = "" } = JSON.parse(stdout || "{}") as { state?: string };
      return ["succeeded", "failed", "cancelled"].includes(state) ? state : null;
    };
    return {
      ended: async () => {
        const state = await until(ended, { everyMs: 1000, limitMs: 300_000 });
        ok(state !== null, "the move did not end");
        return state;
      },
    };
  }

  /** On this machine and on no other, by their process tables; and its guest answers. */
  async runsOn(machine: Machine): Promise<void> {
    const expected = this.machines.map((one) => (one === machine ? 1 : 0));
    equal(await this.running(), expected, "it does not run on exactly one");
    ok(await this.#guestAnswers(guestAddress), "the guest does not answer");
  }

  /** QEMUs on a and on b, by their process tables. */
  async running(): Promise<number[]> {
    const of = async (one: Machine) => Number((await one.try("pgrep", "-c", "qemu-system")).stdout);
    return await Promise.all(this.machines.map(of));
  }

  /** @returns codes of the host's alarms */
  async alarmsOf(machine: Machine): Promise<string[]> {
    const shown = await this.a.run("godwit", "host", "show", machine.name, "--json");
    return (JSON.parse(shown) as { alarms: { code: string }[] }).alarms.map(({ code }) => code);
  }

  /** Waits until the host has this alarm, or has it no more. The agent reports by itself, after a while. */
  async untilAlarm(machine: Machine, code: string, isThere: boolean): Promise<void> {
    const asWanted = async () => ((await this.alarmsOf(machine)).includes(code) === isThere ? true : null);
    const came = await until(asWanted, { everyMs: 1000, limitMs: 120_000 });
    ok(came, `host ${machine.name} ${isThere ? "has no" : "still has the"} alarm ${code}`);
  }

  /** As systemd-analyze security counts it: 0 to 10, less is better. */
  async exposure(service: string): Promise<number> {
    const text = await this.a.run("systemd-analyze", "security", "--no-pager", service);
    return Number(/exposure level for \S+ ([\d.]+)/.exec(text)?.[1] ?? NaN);
  }

  /** The last words of Godwit's services, for when something does not hold. */
  async journals(): Promise<string> {
    const units = ["--unit", "godwit-server", "--unit", "godwit-agent", "--unit", "sanlock"];
    const words = this.machines.map(async (machine) => {
      const { stdout } = await machine.try("journalctl", "--no-pager", "--lines", "40", ...units);
      return `journal of ${machine.name}:\n${stdout}\n`;
    });
    return (await Promise.all(words)).join("\n");
  }
}

/** From the packages' files; what they depend on is in apt's cache. */
export async function aptInstall(
  machine: Machine,
  version: Version,
  packages: readonly string[],
  more: readonly string[] = [],
): Promise<void> {
  const patterns = packages.map((name) => `/opt/packages/${version}/${name}_*.deb`).join(" ");
  const files = await machine.run("sh", "-c", `ls ${patterns}`);
  await machine.run(
    ...["apt-get", "install", "-q", "-y", "--no-install-recommends", "-o", "APT::Sandbox::User=root"],
    ...[...more, ...files.split("\n").filter(Boolean)],
  );
}

/** A namespace has no watchdog, and may not lock memory; a real machine needs neither line. */
async function withoutWatchdog(machine: Machine): Promise<void> {
  await machine.write("/etc/default/sanlock", 'sanlock_opts="-w 0"\n');
  await machine.write(
    "/etc/systemd/system/sanlock.service.d/namespace.conf",
    "[Service]\nEnvironment=SANLOCK_PRIVILEGED=0\n",
  );
  await machine.run("systemctl", "daemon-reload");
}
