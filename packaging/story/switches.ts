/** The story's networks: three switches in a namespace of their own, with a port in each machine. */
import { run } from "@godwit/system";
import type { Machine } from "./machine.ts";

export const networks = {
  management: { device: "eth0", prefix: "10.99.1" },
  migration: { device: "eth1", prefix: "10.99.2" },
  /** Of VMs: a bridge of the machine, with `eth2` as its uplink. */
  office: { device: "eth2", prefix: "10.99.3" },
} as const;
type Network = keyof typeof networks;

export class Switches {
  readonly namespace: string;

  private constructor(namespace: string) {
    this.namespace = namespace;
  }

  static async make(namespace: string): Promise<Switches> {
    await run("ip", ["netns", "add", namespace], { what: "making the switches" });
    const switches = new Switches(namespace);
    for (const name of Object.keys(networks)) {
      await switches.#ip("link", "add", name, "type", "bridge");
      await switches.#ip("link", "set", name, "up");
    }
    // From here the story asks VMs whether they run.
    await switches.#ip("addr", "add", `${networks.office.prefix}.250/24`, "dev", "office");
    return switches;
  }

  /** @param number of the machine: the last part of its addresses */
  async connect(machine: Machine, number: number): Promise<void> {
    for (const [name, { device, prefix }] of Object.entries(networks) as [
      Network,
      (typeof networks)[Network],
    ][]) {
      const port = `${device}-${String(number)}`;
      await this.#ip(
        "link",
        "add",
        port,
        "type",
        "veth",
        "peer",
        "name",
        device,
        "netns",
        String(machine.pid),
      );
      await this.#ip("link", "set", port, "master", name, "up");
      if (name !== "office") {
        await machine.run("ip", "addr", "add", `${prefix}.${String(number)}/24`, "dev", device);
      }
      await machine.run("ip", "link", "set", device, "up");
    }
    await machine.run("ip", "link", "set", "lo", "up");
    await machine.run("ip", "link", "add", "br0", "type", "bridge");
    await machine.run("ip", "link", "set", "br0", "up");
    await machine.run("ip", "link", "set", networks.office.device, "master", "br0");
  }

  /** Whether something with this address answers on the VMs' network. */
  async answers(address: string): Promise<boolean> {
    const { exitCode } = await run(
      "ip",
      ["netns", "exec", this.namespace, "ping", "-c", "1", "-W", "2", address],
      { what: `asking ${address}`, okCodes: [0, 1] },
    );
    return exitCode === 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("ip", ["netns", "delete", this.namespace], { what: "removing the switches" });
  }

  async #ip(...words: readonly string[]): Promise<void> {
    await run("ip", ["-n", this.namespace, ...words], { what: "making the switches" });
  }
}
