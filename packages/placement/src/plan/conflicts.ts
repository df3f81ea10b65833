/**
 * Rules that cannot all hold, found when one is made: of each conflict a sentence and the rules in it. Also VMs that no
 * host bears, and a pool in which nothing can go anywhere. Hard rules only: a soft one gives way.
 */
import type { Pool, Rule } from "./pool.ts";

export interface RuleConflict {
  /** Names of the rules; none when it is the pool itself. */
  rules: string[];
  vms: string[];
  message: string;
}

export function ruleConflicts(pool: Pool): RuleConflict[] {
  return [
    ...unknownNames(pool),
    ...togetherAndApart(pool),
    ...hostsOfGroups(pool),
    ...tooManyApart(pool),
    ...tooManyDomains(pool),
    ...oversized(pool),
  ];
}

const hardOf = <Kind extends Rule["kind"]>({ rules }: Pool, kind: Kind): Extract<Rule, { kind: Kind }>[] =>
  rules.filter((rule): rule is Extract<Rule, { kind: Kind }> => rule.hard && rule.kind === kind);

/** A name that is not in the pool would let a rule hold by chance. */
function unknownNames({ hosts, vms, rules }: Pool): RuleConflict[] {
  const known = new Set(vms.map(({ name }) => name));
  const places = new Set(hosts.map(({ name }) => name));
  return rules.flatMap((rule) => {
    const missing = rule.vms.filter((vm) => !known.has(vm));
    const nohost = rule.kind === "vmHost" ? rule.hosts.filter((host) => !places.has(host)) : [];
    return [
      ...(missing.length === 0
        ? []
        : [
            {
              rules: [rule.name],
              vms: missing,
              message: `Rule ${rule.name} names VMs that are not in the pool: ${list(missing)}.`,
            },
          ]),
      ...(nohost.length === 0
        ? []
        : [
            {
              rules: [rule.name],
              vms: [],
              message: `Rule ${rule.name} names hosts that are not in the pool: ${list(nohost)}.`,
            },
          ]),
    ];
  });
}

/** VMs that must be together form one block, through as many rules as they share VMs. */
function blocks(pool: Pool): { vms: Set<string>; rules: string[] }[] {
  const found: { vms: Set<string>; rules: string[] }[] = [];
  for (const rule of hardOf(pool, "keepTogether")) {
    const touched = found.filter(({ vms }) => rule.vms.some((vm) => vms.has(vm)));
    const merged = {
      vms: new Set([...rule.vms, ...touched.flatMap(({ vms }) => [...vms])]),
      rules: [...touched.flatMap(({ rules }) => rules), rule.name],
    };
    for (const one of touched) found.splice(found.indexOf(one), 1);
    found.push(merged);
  }
  return found;
}

function togetherAndApart(pool: Pool): RuleConflict[] {
  return blocks(pool).flatMap((block) =>
    hardOf(pool, "keepApart").flatMap((apart) => {
      const both = apart.vms.filter((vm) => block.vms.has(vm));
      if (both.length < 2) return [];
      const rules = [...block.rules, apart.name];
      return [
        {
          rules,
          vms: both,
          message: `${list(both)} must be on one host by ${list(block.rules)} and apart by ${apart.name}.`,
        },
      ];
    }),
  );
}

/** Hosts that each VM may be on by its rules, and what is left for a block that must be on one. */
function hostsOfGroups(pool: Pool): RuleConflict[] {
  const bound = hardOf(pool, "vmHost");
  const grouped = blocks(pool);
  const single = pool.vms
    .filter(({ name }) => !grouped.some(({ vms }) => vms.has(name)))
    .map(({ name }) => ({ vms: new Set([name]), rules: [] as string[] }));
  return [...grouped, ...single].flatMap(({ vms, rules }) => {
    const concerned = bound.filter((rule) => rule.vms.some((vm) => vms.has(vm)));
    if (concerned.length === 0) return [];
    const left = pool.hosts.filter(({ name }) =>
      concerned.every((rule) => rule.hosts.includes(name) === (rule.where === "on")),
    );
    if (left.length > 0) return [];
    const names = [...rules, ...concerned.map(({ name }) => name)];
    return [
      { rules: names, vms: [...vms], message: `No host is left for ${list([...vms])} by ${list(names)}.` },
    ];
  });
}

function tooManyApart(pool: Pool): RuleConflict[] {
  const bound = hardOf(pool, "vmHost");
  return hardOf(pool, "keepApart").flatMap((rule) => {
    const hosts = pool.hosts.filter(({ name }) =>
      rule.vms.some((vm) =>
        bound.every((one) => !one.vms.includes(vm) || one.hosts.includes(name) === (one.where === "on")),
      ),
    );
    const places = rule.of === "host" ? hosts.length : domainsOf(hosts).size;
    const vms = new Set(rule.vms);
    if (vms.size <= places) return [];
    const what = rule.of === "host" ? "hosts" : "fault domains";
    const message = `Rule ${rule.name} keeps ${String(vms.size)} VMs apart, and ${String(places)} ${what} may have them.`;
    return [{ rules: [rule.name], vms: [...vms], message }];
  });
}

function tooManyDomains(pool: Pool): RuleConflict[] {
  const domains = domainsOf(pool.hosts).size;
  return hardOf(pool, "spread").flatMap((rule) => {
    const most = Math.min(domains, new Set(rule.vms).size);
    if (rule.faultDomains <= most) return [];
    const message = `Rule ${rule.name} asks for ${String(rule.faultDomains)} fault domains; with ${String(new Set(rule.vms).size)} VMs and ${String(domains)} domains in the pool ${String(most)} is the most.`;
    return [{ rules: [rule.name], vms: [...rule.vms], message }];
  });
}

/** VMs, and blocks of them, that no host bears even when it is empty. */
function oversized(pool: Pool): RuleConflict[] {
  const largest = Math.max(0, ...pool.hosts.map(({ memoryBytes }) => memoryBytes));
  const bytesOf = new Map(pool.vms.map(({ name, memoryBytes }) => [name, memoryBytes]));
  const alone = pool.vms
    .filter(({ memoryBytes }) => memoryBytes > largest)
    .map(({ name }) => ({
      rules: [],
      vms: [name],
      message: `VM ${name} needs more memory than any host of the pool has.`,
    }));
  const together = blocks(pool).flatMap(({ vms, rules }) => {
    const bytes = [...vms].reduce((sum, vm) => sum + (bytesOf.get(vm) ?? 0), 0);
    if (bytes <= largest || [...vms].some((vm) => (bytesOf.get(vm) ?? 0) > largest)) return [];
    return [
      {
        rules,
        vms: [...vms],
        message: `${list([...vms])} must be on one host by ${list(rules)}, and no host has memory for all of them.`,
      },
    ];
  });
  return [...alone, ...together];
}

const domainsOf = (hosts: Pool["hosts"]): Set<string> =>
  new Set(hosts.map(({ name, faultDomain }) => faultDomain ?? `host ${name}`));

const list = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;
