/** `godwit datastore add` */
import { isIP } from "node:net";
import { GodwitError, type DatastoreView, type NewDatastore } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi, type Api } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { firstLineOf } from "../../first-line.ts";
import { datastoreArgument, jsonFlag, type JsonFlags } from "../common.ts";

type NfsVersion = "3" | "4.0" | "4.1" | "4.2";
interface NfsPlace {
  server: string;
  path: string;
}
interface Portal {
  portal: string;
  port?: number;
}

interface AddFlags extends JsonFlags {
  path?: string;
  nfs?: NfsPlace;
  nfsVersion?: NfsVersion;
  iscsi?: Portal;
  target?: string;
  chapUser?: string;
  chapSecretFile?: string;
  lun?: string;
  local: boolean;
  host?: readonly string[];
  init: boolean;
  onRoot: boolean;
}

/** An IPv6 address stands in brackets. */
function nfsPlace(text: string): NfsPlace {
  const [, address, name, path] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\/.*)$/.exec(text) ?? [];
  const server = address ?? name;
  if (server === undefined || path === undefined) throw new Error("must be SERVER:/FOLDER");
  return { server, path };
}

/** An IPv6 address with a port stands in brackets. */
function portal(text: string): Portal {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? text;
  if (isIP(address) === 0) throw new Error("must be an IP address, with a port if it is not 3260");
  return { portal: address, ...(port === undefined ? {} : { port: Number(port) }) };
}

/** As `/dev/disk/by-id`, `multipath -ll`, a storage array or ESXi have it: `wwn-0x6001…`, `36001…`, `naa.6001…`, with or without colons. */
export function wwn(text: string): string {
  const plain = text
    .toLowerCase()
    .replaceAll(":", "")
    .replace(/^(?:wwn-0x|0x|naa\.|eui\.|nvme-eui\.)/, "");
  const digits = /^3[0-9a-f]{16}(?:[0-9a-f]{16})?$/.test(plain) ? plain.slice(1) : plain;
  if (!/^[0-9a-f]{16}(?:[0-9a-f]{16})?$/.test(digits))
    throw new Error("must be a WWN, like wwn-0x6001405e8c2f9cc868049749f4e4f851");
  return digits;
}

export const addCommand = buildCommand({
  docs: {
    brief: "Define a datastore, or define it for further hosts",
    fullDescription: `The agents of its hosts apply it at once, and again after a restart. What an NFS server exports they mount themselves
(--nfs). Of an iSCSI target each LUN is a disk as it is, of which QEMU is the client (--iscsi). On a LUN that the hosts' kernels share,
by FC or open-iscsi, each disk is a volume (--lun). Other storage is mounted by you, in a folder that the hosts allow for datastores (/srv, /mnt, /media and
/var/lib/godwit/datastores, where datastoreFolders in agent.yaml does not say otherwise). New storage has to be marked once,
so that an empty folder is never taken for it: --init does that.

Examples:
  godwit datastore add vms --nfs filer.example.com:/export/vms --init
  godwit datastore add san --iscsi 10.0.3.9 --target iqn.2026-01.com.example:san
  godwit datastore add san --lun wwn-0x6001405e8c2f9cc868049749f4e4f851 --init
  godwit datastore add san --iscsi 10.0.3.9 --target iqn.2026-01.com.example:san --chap-user godwit --chap-secret-file /root/chap
  godwit datastore add vms --path /srv/vms                       shared storage, on every host, also on later ones
  godwit datastore add vms --path /srv/vms --init                the same, and mark it
  godwit datastore add fast --path /srv/nvme --local --host a --host b
  godwit datastore add fast --path /mnt/nvme0 --local --host c   for a further host, where it lies elsewhere`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      path: { kind: "parsed", parse: String, brief: "The folder on the hosts", optional: true },
      nfs: {
        kind: "parsed",
        parse: nfsPlace,
        brief: "What an NFS server exports, as SERVER:/FOLDER",
        optional: true,
      },
      iscsi: {
        kind: "parsed",
        parse: portal,
        brief: "The address of an iSCSI portal, as ADDRESS or ADDRESS:PORT",
        optional: true,
      },
      target: {
        kind: "parsed",
        parse: String,
        brief: "With --iscsi: the target's name (IQN)",
        optional: true,
      },
      chapUser: {
        kind: "parsed",
        parse: String,
        brief: "With --iscsi: the name by which QEMU logs in to the target (CHAP)",
        optional: true,
      },
      chapSecretFile: {
        kind: "parsed",
        parse: String,
        brief: "With --chap-user: a file whose first line is its secret",
        optional: true,
      },
      lun: {
        kind: "parsed",
        parse: wwn,
        brief: "The WWN of a LUN that the hosts share, as /dev/disk/by-id has it",
        optional: true,
      },
      nfsVersion: {
        kind: "enum",
        values: ["3", "4.0", "4.1", "4.2"],
        brief: "NFS version (default: the newest that both sides know)",
        optional: true,
      },
      local: { kind: "boolean", brief: "Each host has storage of its own there", default: false },
      host: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "A host that is to have it (default: every host)",
        optional: true,
      },
      init: { kind: "boolean", brief: "Mark the storage as a datastore", default: false },
      onRoot: {
        kind: "boolean",
        brief: "With --init: also where a shared datastore's folder lies on the root file system",
        default: false,
      },
    },
    positional: datastoreArgument,
  },
  async func(flags: AddFlags, name: string) {
    if (flags.onRoot && !flags.init)
      throw GodwitError.of("USAGE", { what: "--on-root needs --init.", hint: "Add --init." });
    const { host } = flags;
    const body = {
      ...{ name, shared: !flags.local, source: await withChap(sourceOf(flags), flags) },
      ...(host === undefined ? {} : { hosts: [...host] }),
    };
    const view = await withApi(async (api) => {
      const added = await api.call("datastoreAdd", { body });
      return flags.init ? await mark(api, added, flags) : added;
    });
    if (flags.json) {
      writeJson(view);
      return;
    }
    const { datastoreText } = await import("../../output/datastore-view.ts");
    writeLine(datastoreText(view));
  },
});

/** @throws USAGE */
function sourceOf({
  path,
  nfs,
  nfsVersion,
  iscsi,
  target,
  lun,
  local,
  init,
}: AddFlags): NewDatastore["source"] {
  const wrong = (what: string, hint: string) => GodwitError.of("USAGE", { what, hint });
  if ([path, nfs, iscsi, lun].filter((one) => one !== undefined).length !== 1)
    throw wrong(
      "A datastore is a folder, an NFS export, an iSCSI target or a LUN.",
      "Give one of --path, --nfs, --iscsi and --lun.",
    );
  if (nfs === undefined && nfsVersion !== undefined)
    throw wrong("--nfs-version needs --nfs.", "Leave it out, or give --nfs.");
  if ((iscsi === undefined) !== (target === undefined))
    throw wrong(
      "--iscsi and --target belong together.",
      "Give both: the portal's address and the target's name.",
    );
  if (path !== undefined) return { kind: "directory", path };
  if (local)
    throw wrong(
      "What a server on the network or a storage array has is shared storage.",
      "Leave out --local.",
    );
  if (lun !== undefined) return { kind: "lun", wwn: lun };
  if (nfs !== undefined)
    return { kind: "nfs", ...nfs, ...(nfsVersion === undefined ? {} : { version: nfsVersion }) };
  if (init) throw wrong("An iSCSI target is not marked: its name says which it is.", "Leave out --init.");
  return { kind: "iscsi", portal: "", ...iscsi, target: target ?? "" };
}

/** @throws USAGE */
async function withChap(
  source: NewDatastore["source"],
  { chapUser: user, chapSecretFile: file }: AddFlags,
): Promise<NewDatastore["source"]> {
  if (user === undefined && file === undefined) return source;
  if (source.kind !== "iscsi" || user === undefined || file === undefined)
    throw GodwitError.of("USAGE", {
      what: "--chap-user and --chap-secret-file belong together, and to --iscsi.",
      hint: "Give all three, or neither of the first two.",
    });
  const hint = "Its first line is the target's CHAP secret for that name.";
  return { ...source, chap: { user, secret: await firstLineOf(file, hint) } };
}

/** Shared storage is marked by one host, host-local storage by each. */
async function mark(
  api: Api,
  { name, shared, hosts }: DatastoreView,
  flags: AddFlags,
): Promise<DatastoreView> {
  const named = hosts.filter(({ host }) => flags.host?.includes(host) ?? true);
  const able = named.filter(({ state }) => state === "available" || state === "unavailable");
  const [first] = able;
  if (first === undefined) {
    const why = named.map(({ host, reason }) => `${host}: ${reason ?? "unknown"}`).join("; ");
    const hint = `It is defined; mark it when a host has it: godwit datastore init ${name}`;
    throw GodwitError.of("USAGE", { what: `No host can mark ${name} now (${why}).`, hint });
  }
  for (const { host } of shared ? [first] : able)
    await api.call("datastoreInit", { params: { datastore: name }, body: { host, onRoot: flags.onRoot } });
  return await api.call("datastoreShow", { params: { datastore: name } });
}
