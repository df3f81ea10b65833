/**
 * The handbook's fence program for Linux's NFS server, word for word: a host that hangs while its VM writes, and one that stands still as a whole,
 * lose their access to the NFS server, their VM runs elsewhere, and a host gets its access back by its boot.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { until, within } from "@godwit/system";
import { blocksOf, commandsOf, filled, type Block } from "../src/handbook.ts";
import { domain } from "../src/server-settings.ts";
import type { Server } from "../src/server.ts";
import type { TakeoverResult } from "./result.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";
import { restarting, takenOver, type Guard, type Trouble } from "./takeover.ts";

const page = join(import.meta.dirname, "../../docs/operators/fence-linux-nfs.md");
const datastore = "shared";
const limitMs = 600_000;
/** A host whose VM cannot write is reset by its watchdog before that, or by nobody. */
const resetLimitMs = 240_000;

/** Of emulated servers a login by ssh takes longer than the page allows. On the machine that is the NFS server and Godwit's server in one. */
async function setUp({ server, hosts }: Site): Promise<void> {
  const text = await readFile(page, "utf8");
  const filer = `${server.name}.${domain}`;
  const blockOf = (section: string, language: string, word: string): Block => {
    const fits = (block: Block) =>
      block.section === section && block.language === language && block.text.includes(word);
    const [found, ...others] = blocksOf(text).filter(fits);
    if (found === undefined || others.length > 0)
      throw new Error(`the page has no block with ${word}, or several`);
    return found;
  };
  const there = "The NFS server";
  const here = "Godwit's server";
  await server.write("/etc/nfs.conf.d/godwit.conf", `${blockOf(there, "ini", "[nfsd]").text}\n`);
  const script = blockOf(there, "sh", "godwit-fence-host load");
  await server.write(
    "/usr/local/sbin/godwit-fence-host",
    `${filled(script.text, { '"$age" -le 8': '"$age" -le 25' })}\n`,
  );
  const unit = blockOf(there, "ini", "[Unit]");
  await server.write("/etc/systemd/system/godwit-fence.service", `${unit.text}\n`);
  await server.shell(": >/etc/godwit-fence/hosts 2>/dev/null || true");
  for (const command of commandsOf(text, there)) {
    const [, name = ""] = /^echo '([ab]) /.exec(command) ?? [];
    const host = hosts.find((one) => one.name === name);
    const own = host === undefined ? command : command.replace(/10\.0\.3\.\d+/, host.address("management"));
    await server.shell(own);
  }
  await server.shell("systemctl start ssh; test -e /etc/godwit/filer-key && rm /etc/godwit/filer-key*; true");
  const [chmod = "", set = "", ...keys] = commandsOf(text, here).toSorted(
    (one, other) => isLast(other) - isLast(one),
  );
  for (const command of keys) await server.shell(command.replace("filer.example.com", filer));
  const key = (await server.run("cat", "/etc/godwit/filer-key.pub")).trim();
  const line = blockOf(here, "sh", "restrict,command").text;
  await server.write(
    "/root/.ssh/authorized_keys",
    `${filled(line, { "ssh-ed25519 … godwit-fence": key })}\n`,
  );
  const program = blockOf(here, "sh", "date +%s").text;
  await server.write("/etc/godwit/fence/filer", `${filled(program, { "filer.example.com": filer })}\n`);
  await server.shell(chmod);
  await server.shell(filled(set, { vms: datastore }));
}

/** Those after the program was written. */
const isLast = (command: string): number => Number(/^chmod 755|^godwit /.test(command));

/** A trouble ends when the host has booted, by its watchdog or by somebody. */
function troubles(say: (text: string) => void): Trouble[] {
  let over = new AbortController();
  let reset: Promise<boolean> = Promise.resolve(false);
  const watch = (host: Server): void => {
    over = new AbortController();
    reset = host.nextReset(over.signal);
  };
  const end = async (host: Server): Promise<void> => {
    const was = (await within(reset, resetLimitMs)) === true;
    over.abort();
    say(was ? "  its watchdog has reset it" : "  it is reset by hand");
    if (!was) await host.reset();
    await host.setSending("office", true);
  };
  return [
    {
      name: "agent and sanlock hang, its QEMU and the NFS server do not",
      answers: false,
      begin: async (host) => {
        watch(host);
        await host.shell("kill -STOP $(systemctl show -P MainPID godwit-agent) $(pidof sanlock)");
      },
      end,
    },
    {
      name: "frozen",
      answers: false,
      begin: async (host) => {
        await host.setFrozen(true);
      },
      end: async (host) => {
        await host.setFrozen(false);
        watch(host);
        await end(host);
      },
    },
  ];
}

export async function* fencedByProgram(
  site: Site,
  vm: StoryVm,
  say: (text: string) => void,
): AsyncGenerator<TakeoverResult> {
  say("setting up the fence program of the NFS server by the handbook");
  await setUp(site);
  await restarting(site);
  const accessOf = async () => (await site.api.call("datastoreShow", { params: { datastore } })).hosts;
  const guard: Guard = {
    refusals: async () => {
      const text = await site.server.shell("nft list counter inet godwit_fence refused");
      return Number(/packets (\d+)/.exec(text)?.[1] ?? Number.NaN);
    },
    isGivenBack: async () => {
      const isGiven = async () =>
        (await accessOf()).every(
          ({ revoked, state, leases }) =>
            revoked == null && state === "available" && leases?.state === "joined",
        );
      return (await until(isGiven, { everyMs: 1000, limitMs })) === true;
    },
  };
  for (const trouble of troubles(say)) {
    const { host } = await vm.view();
    const fenced = isFenced(site, host, accessOf);
    const result = await takenOver(site, vm, guard, trouble, say);
    yield (await fenced) ? result : { ...result, problems: [...result.problems, "it was not fenced"] };
  }
}

/** Once it is fenced, two guests have one address: the client is to find the new one. */
async function isFenced(
  site: Site,
  name: string,
  accessOf: () => Promise<{ host: string; revoked?: { state: string } | null | undefined }[]>,
): Promise<boolean> {
  const isRevoked = async () =>
    (await accessOf().catch(() => [])).some(
      ({ host, revoked }) => host === name && revoked?.state === "revoked",
    );
  const is = (await until(isRevoked, { everyMs: 500, limitMs })) === true;
  await site.rack.server(name).setSending("office", false);
  return is;
}
