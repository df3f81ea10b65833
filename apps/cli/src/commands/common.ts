/** Flags and arguments that many commands share. */
import type { Strategy } from "@godwit/contract";
import type { Api } from "../connection.ts";
import { hostSummaries, vmSummaries } from "../inventory.ts";

export const jsonFlag = {
  kind: "boolean",
  brief: "Print one JSON document on standard output",
  default: false,
} as const;
export interface JsonFlags {
  json: boolean;
}

export const detachFlag = {
  kind: "boolean",
  brief: "Do not wait for the task to end",
  default: false,
} as const;
export interface TaskFlags extends JsonFlags {
  detach: boolean;
}

/** Names that a completion proposes; none where the server does not answer. */
export async function proposed(ask: (api: Api) => Promise<string[]>): Promise<string[]> {
  const { withApi } = await import("../connection.ts");
  return await withApi(ask).catch(() => []);
}

/** The names of what the server has, as completions of a word. */
const proposing = (ask: (api: Api) => Promise<readonly { name: string }[]>) => (partial: string) =>
  proposed(async (api) =>
    (await ask(api)).map(({ name }) => name).filter((name) => name.startsWith(partial)),
  );

const proposeVms = proposing(vmSummaries);
const proposeHosts = proposing(hostSummaries);
const proposeDatastores = proposing(async (api) => (await api.call("datastoreList", {})).datastores);
const proposeImages = proposing(async (api) => (await api.call("imageList", {})).images);
export const proposeSwitches = proposing(async (api) => (await api.call("switchList", {})).switches);
const proposeNetworks = proposing(async (api) => (await api.call("networkList", {})).networks);
const proposePools = proposing(async (api) => (await api.call("poolList", {})).pools);

export const hostFlag = (what: string) =>
  ({
    kind: "parsed",
    parse: String,
    brief: `Host ${what}`,
    optional: true,
    proposeCompletions: proposeHosts,
  }) as const;

export const nameArgument = (
  placeholder: string,
  brief: string,
  proposeCompletions: (partial: string) => Promise<string[]> = () => Promise.resolve([]),
) => ({ kind: "tuple", parameters: [{ brief, placeholder, parse: String, proposeCompletions }] }) as const;

export const vmArgument = nameArgument("vm", "Name or id", proposeVms);
/** A VM, and something of it. */
const vmAnd = (placeholder: string, brief: string) =>
  ({
    kind: "tuple",
    parameters: [...vmArgument.parameters, { brief, placeholder, parse: String }],
  }) as const;
export const driveArguments = vmAnd("drive", "Name of the drive");
export const hostDeviceArguments = vmAnd("device", "The VM's name of the device");
export const diskArguments = vmAnd("disk", "Name of the disk");
export const nicArguments = vmAnd("nic", "Number or MAC address");
export const snapshotArguments = vmAnd("snapshot", "Name of the snapshot");
export const vmsArgument = {
  kind: "array",
  parameter: { brief: "Names or ids", placeholder: "vm", parse: String, proposeCompletions: proposeVms },
} as const;
export const hostArgument = nameArgument("host", "Name", proposeHosts);
export const datastoreArgument = nameArgument("datastore", "Name", proposeDatastores);
export const imageArgument = nameArgument("image", "Name", proposeImages);
export const switchArgument = nameArgument("switch", "Name", proposeSwitches);
export const networkArgument = nameArgument("network", "Name", proposeNetworks);
export const poolArgument = nameArgument("pool", "Name", proposePools);

function mtu(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= 1280 && number <= 9216)) throw new Error("must be a number of bytes from 1280 to 9216");
  return number;
}
export const mtuFlag = { kind: "parsed", parse: mtu, optional: true } as const;

export const destinationFlag = {
  kind: "parsed",
  parse: String,
  brief: "Destination host",
  proposeCompletions: proposeHosts,
} as const;

export const forceFlag = {
  kind: "boolean",
  brief: "Also where it breaks a rule of a pool that must hold, or its admission control",
  default: false,
  withNegated: false,
} as const;

/** Where the agent's configuration is. */
export const configFlag = {
  kind: "parsed",
  parse: String,
  brief: "The agent's configuration file",
  default: "/etc/godwit/agent.yaml",
} as const;

/** The words of a union as a flag's values; the compiler refuses a list that lacks one. */
export const wordsOf = <Word extends string>(words: Record<Word, true>): Word[] =>
  Object.keys(words) as Word[];

export const strategyFlag = {
  kind: "enum",
  values: wordsOf<Strategy>({ auto: true, precopy: true, postcopy: true }),
  brief: "How memory is moved",
  default: "auto",
} as const;

/** @param max the largest that it may be */
export const wholeNumberTo =
  (max: number) =>
  (text: string): number => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    if (number < 1 || number > max) throw new Error(`must be a whole number from 1 to ${String(max)}`);
    return number;
  };
