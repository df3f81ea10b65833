/** What faults and phases act on: one domain that moves from one host of the lab to the other. */
import { readFile } from "node:fs/promises";
import type { Lab } from "@godwit/lab";
import { identifyProcess, run, signalProcess, type ProcessIdentity } from "@godwit/system";
import type { Domain } from "../domain-xml.ts";
import type { LibvirtPeer } from "../libvirt-peer.ts";
import type { Watch } from "./watch.ts";

export const roles = ["source", "destination"] as const;
export type Role = (typeof roles)[number];

export interface Scene {
  lab: Lab;
  peer: LibvirtPeer;
  domain: Pick<Domain, "name" | "uuid">;
  /** The names of the hosts between which it moves. */
  hosts: Readonly<Record<Role, string>>;
  watch: Watch;
}

/** A host's libvirtd. */
export function daemonOf({ peer, hosts }: Scene, role: Role): ProcessIdentity | null {
  return peer.host(hosts[role]).daemonProcess("libvirtd");
}

/** The domain's QEMU on a host. */
export async function qemuOn({ peer, domain, hosts }: Scene, role: Role): Promise<ProcessIdentity | null> {
  return (await peer.qemus(domain)).find(({ host }) => host === hosts[role])?.process ?? null;
}

/** The virsh on a host that leads a move, or waits for it. */
export async function virshOn(lab: Lab, host: string): Promise<ProcessIdentity | null> {
  const { stdout } = await run("ip", ["netns", "pids", lab.namespace(host)], { what: "looking for virsh" });
  for (const pid of stdout.split("\n").filter((line) => line !== "")) {
    const words = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (words[0] === "virsh" && words.includes("migrate")) return await identifyProcess(Number(pid));
  }
  return null;
}

export async function signal(target: ProcessIdentity | null, name: NodeJS.Signals): Promise<void> {
  if (target !== null) await signalProcess(target, name);
}
