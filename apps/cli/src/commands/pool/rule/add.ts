/** `godwit pool rule add` */
import type { PoolRuleTerms, RestartPriority } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand, numberParser } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { writeJson, writeLine } from "../../../output/screen.ts";
import { jsonFlag, wordsOf, type JsonFlags } from "../../common.ts";
import { ruleArguments } from "./arguments.ts";

const kinds = {
  together: "together",
  apart: "apart",
  spread: "spread",
  on: "on",
  off: "off",
  rack: "rack",
  "max-vms": "maxVms",
  cpu: "cpu",
  restart: "restart",
  "guest-reset": "guestReset",
  "resource-pool": "resourcePool",
} as const satisfies Record<string, PoolRuleTerms["kind"]>;
type KindWord = keyof typeof kinds;

interface Flags extends JsonFlags {
  kind: KindWord;
  should: boolean;
  vm?: string[];
  host?: string[];
  of: "host" | "rack";
  racks?: number;
  rack?: string;
  count?: number;
  reserve?: number;
  limit?: number;
  shares?: number;
  priority: RestartPriority;
  after?: string[];
  never: boolean;
  replace: boolean;
  parent?: string;
}

const named = (brief: string, placeholder: string) =>
  ({ kind: "parsed", parse: String, brief, optional: true, variadic: true, placeholder }) as const;
const amount = (brief: string) =>
  ({ kind: "parsed", parse: numberParser, brief, optional: true, placeholder: "number" }) as const;

export const addCommand = buildCommand({
  docs: {
    brief: "Add a rule to a pool, or change one",
    fullDescription: `A rule must hold; with --should it gives way where nothing else is possible. A rule that cannot hold beside the others is
refused, with the reasons. A move that would break one that must hold is refused unless it is forced.
With --replace it takes the place of the rule of its name: at no moment does the pool have neither.

  together, apart    the VMs on one host; no two on one host, or with --of rack in one rack
  spread             the VMs in so many racks at least (--racks)
  on, off            the VMs on one of the hosts; on none of them
  rack               the hosts fail at once (--rack)
  max-vms            each of the hosts, or every host of the pool, takes so many running VMs at most (--count)
  cpu                CPUs that a host must have for each of the VMs (--reserve), that each gets at most (--limit), and --shares
  resource-pool      the VMs divide what it gets by its own shares (--shares, --reserve, --limit), alone or within another (--parent)
  restart            how the VMs are started again when they died (--priority, --after)
  guest-reset        the VMs are reset when their guests hang, also in a pool that resets none; with --never they are not

Examples:
  godwit pool rule add east databases --kind apart --vm db-1 --vm db-2
  godwit pool rule add east licence --kind on --vm db-1 --host host-a --host host-b
  godwit pool rule add east beside --kind together --should --vm web-1 --vm cache-1
  godwit pool rule add east rack-1 --kind rack --rack r1 --host host-a --host host-b
  godwit pool rule add east small --kind max-vms --host host-c --count 20
  godwit pool rule add east promised --kind cpu --vm db-1 --reserve 2 --shares 4000
  godwit pool rule add east bounded --kind cpu --vm build-1 --limit 1.5
  godwit pool rule add east bounded --kind cpu --vm build-1 --limit 2 --replace
  godwit pool rule add east prod --kind resource-pool --shares 8000 --reserve 16
  godwit pool rule add east shop --kind resource-pool --parent prod --vm web-1 --vm web-2
  godwit pool rule add east first --kind restart --priority high --vm db-1
  godwit pool rule add east then --kind restart --after first --vm web-1 --vm web-2
  godwit pool rule add east debugged --kind guest-reset --never --vm lab-1`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      kind: {
        kind: "enum",
        values: wordsOf<KindWord>({
          ...{ together: true, apart: true, spread: true, on: true, off: true, rack: true },
          ...{ "max-vms": true, cpu: true, restart: true, "guest-reset": true, "resource-pool": true },
        }),
        brief: "What the rule asks for",
      },
      should: {
        kind: "boolean",
        brief: "It gives way where nothing else is possible",
        default: false,
        withNegated: false,
      },
      vm: named("Name or id of a VM; may be repeated", "vm"),
      host: named("Host; may be repeated", "host"),
      of: { kind: "enum", values: ["host", "rack"], brief: "What VMs are kept apart over", default: "host" },
      racks: amount("How many racks at least"),
      rack: { kind: "parsed", parse: String, brief: "Rack of the hosts", optional: true },
      count: amount("How many running VMs at most"),
      reserve: amount("CPUs that a host must have for each of the VMs, or that a resource pool is promised"),
      limit: amount(
        "CPUs that each of the VMs, or all of a resource pool together, get at most: a hard bound where the host has cgroup v2",
      ),
      shares: amount(
        "Shares of each of the VMs (default: 1000 for each of its vCPUs), or of a resource pool (4000)",
      ),
      priority: {
        kind: "enum",
        values: wordsOf<RestartPriority>({
          ...{ highest: true, high: true, medium: true, low: true, lowest: true, never: true },
        }),
        brief: "Of VMs that died those of a higher priority are started first",
        default: "medium",
      },
      parent: {
        kind: "parsed",
        parse: String,
        brief: "Resource pool that it is a part of",
        optional: true,
        placeholder: "rule",
      },
      never: {
        kind: "boolean",
        brief: "With guest-reset: the VMs are not reset",
        default: false,
        withNegated: false,
      },
      replace: {
        kind: "boolean",
        brief: "It takes the place of the rule of its name",
        default: false,
        withNegated: false,
      },
      after: named("Rule whose VMs are started first; may be repeated", "rule"),
    },
    positional: ruleArguments,
  },
  async func(flags: Flags, pool: string, name: string) {
    const { vm: vms = [], host: hosts = [], replace } = flags;
    const body = { name, terms: termsOf(flags), vms, hosts, ...(replace && { replace }) };
    const rule = await withApi((api) => api.call("poolRuleAdd", { params: { pool }, body }));
    if (flags.json) {
      writeJson(rule);
      return;
    }
    const { ruleText } = await import("@godwit/contract");
    writeLine(`Rule ${rule.name} of pool ${pool}: ${ruleText(rule)}.`);
  },
});

/** @throws USAGE */
function termsOf(flags: Flags): PoolRuleTerms {
  const { of, racks, rack, count, reserve, limit, shares } = flags;
  const kind = kinds[flags.kind];
  const amounts = {
    ...(reserve === undefined ? {} : { reservedCores: reserve }),
    ...(limit === undefined ? {} : { limitCores: limit }),
    ...(shares === undefined ? {} : { shares }),
  };
  const must = !flags.should;
  const needed = <T>(value: T | undefined, flag: string): T => {
    if (value !== undefined) return value;
    throw GodwitError.of("USAGE", {
      what: `A rule of kind ${flags.kind} needs ${flag}.`,
      hint: "See godwit pool rule add --help.",
    });
  };
  switch (kind) {
    case "together":
    case "on":
    case "off":
      return { kind, must };
    case "apart":
      return { kind, must, of };
    case "spread":
      return { kind, must, racks: needed(racks, "--racks") };
    case "rack":
      return { kind, rack: needed(rack, "--rack") };
    case "maxVms":
      return { kind, count: needed(count, "--count") };
    case "restart":
      return {
        ...{ kind, priority: flags.priority },
        ...(flags.after === undefined ? {} : { after: flags.after }),
      };
    case "guestReset":
      return { kind, enabled: !flags.never };
    case "resourcePool":
      return {
        kind,
        ...(flags.parent === undefined ? {} : { parent: flags.parent }),
        ...amounts,
      };
    case "cpu":
      return { kind, ...amounts };
  }
}
