/** A model of the kernel's interfaces, on which plans are carried out. */
import type { FoundLink, SwitchPlan, WantedSwitch } from "../src/switch-plan.ts";

export const link = (name: string, more: Partial<FoundLink> = {}): FoundLink => ({
  ...{ name, kind: null, isLoopback: false, alias: null, master: null, lower: null, isOn: true, mtu: 1500 },
  ...{ addresses: [], filtersVlans: false, vlans: [] },
  ...more,
});
export const wanted = (
  name: string,
  uplink: string | null,
  more: Partial<WantedSwitch> = {},
): WantedSwitch => ({
  ...{ name, uplink, mtu: 1500, vlans: [0], taps: [], filtersVlans: true },
  ...more,
});

/** As the kernel would. @throws Error at a line that it would refuse, or that is not known here */
export function carryOut(before: readonly FoundLink[], { steps }: SwitchPlan): FoundLink[] {
  const links = new Map(before.map((one) => [one.name, { ...one }]));
  const at = (name: string | undefined): FoundLink => {
    const found = links.get(name ?? "");
    if (found === undefined) throw new Error(`there is no interface ${name ?? ""}`);
    return found;
  };
  for (const line of steps.flatMap(({ steps: { ip } }) => ip)) {
    const words = line.split(" ");
    const after = (word: string) => words[words.indexOf(word) + 1];
    const has = (word: string) => words.includes(word);
    if (line.startsWith("link add name ")) {
      const name = words[3] ?? "";
      if (links.has(name)) throw new Error(`${name} exists`);
      const kind = after("type") ?? null;
      links.set(name, link(name, { kind, isOn: false, filtersVlans: has("vlan_filtering") }));
    } else if (line.startsWith("link del dev ")) {
      const name = words[3] ?? "";
      if (!links.delete(name)) throw new Error(`there is no interface ${name}`);
      for (const one of links.values())
        if (one.master === name) Object.assign(one, { master: null, vlans: [] });
    } else {
      const one = at(after("dev"));
      if (has("alias")) one.alias = after("alias") ?? null;
      if (has("mtu")) one.mtu = Number(after("mtu"));
      if (has("vlan_filtering")) one.filtersVlans = true;
      if (has("down")) one.isOn = false;
      if (has("nomaster")) Object.assign(one, { master: null, vlans: [] });
      if (has("master")) {
        const master = at(after("master"));
        if (one.master !== null && master.kind === "bond")
          throw new Error(`${one.name} is a port of ${one.master}`);
        if (one.isOn && master.kind === "bond") throw new Error(`${one.name} is up`);
        Object.assign(one, { master: after("master"), vlans: [] });
      }
      if (has("up")) one.isOn = true;
    }
  }
  for (const line of steps.flatMap(({ steps: { bridge } }) => bridge)) {
    const [, what, , name, , vid] = line.split(" ");
    const port = at(name);
    if (port.master === null) throw new Error(`${port.name} is no port`);
    const others = port.vlans.filter((one) => one.vid !== Number(vid));
    port.vlans =
      what === "del" ? others : [...others, { vid: Number(vid), untagged: line.endsWith("untagged") }];
  }
  return [...links.values()];
}
