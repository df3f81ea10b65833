/**
 * A host whose kernel has no KVM, as one with virtualization switched off in its firmware: the module is unloaded. A VM that runs under KVM is not
 * moved there, and is again when the module is back.
 */
import { until } from "@godwit/system";
import type { Server } from "../src/server.ts";
import type { WithoutKvmResult } from "./result.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

const limitMs = 600_000;

export async function withoutKvm(
  site: Site,
  vm: StoryVm,
  say: (text: string) => void,
): Promise<WithoutKvmResult> {
  const { host: from } = await vm.view();
  const to = site.hosts.find(({ name }) => name !== from);
  if (to === undefined) throw new TypeError("a rack has two hosts");
  const params = { vm: vm.name };
  const errors = async (): Promise<string[]> => {
    const { findings } = await site.api.call("vmCheck", { params, body: { to: to.name } });
    return findings.filter(({ severity }) => severity === "error").map(({ code }) => code);
  };
  const result: WithoutKvmResult = { host: to.name, refusals: [], problems: [] };
  try {
    say(`taking KVM from ${to.name}`);
    await load(site, to, "tcg");
    result.refusals = await errors();
    if (!result.refusals.includes("DESTINATION_ACCELERATOR_DIFFERS"))
      result.problems.push(`the check finds ${result.refusals.join(", ") || "nothing"}`);
    const tried = await site.api.call("vmMigrate", { params, body: { to: to.name } }).then(
      () => null,
      (error: unknown) => String(error),
    );
    if (tried === null) result.problems.push(`a move to ${to.name} was started`);
    say(`  its move to ${to.name} is refused: ${tried ?? ""}`);
  } finally {
    await load(site, to, "kvm");
  }
  const [qemu] = await vm.qemus();
  if (qemu?.host !== from || !qemu.running || qemu.accelerator !== "kvm")
    result.problems.push(`its QEMU is ${JSON.stringify(qemu ?? null)}`);
  const left = await errors();
  if (left.length > 0) result.problems.push(`with KVM again the check finds ${left.join(", ")}`);
  for (const problem of result.problems) say(`  PROBLEM: ${problem}`);
  return result;
}

/** The agent looks at KVM when it starts. */
async function load(site: Site, host: Server, accelerator: "kvm" | "tcg"): Promise<void> {
  const modprobe = accelerator === "kvm" ? "modprobe kvm_amd" : "modprobe -r kvm_amd";
  await host.shell(`${modprobe}\nsystemctl restart godwit-agent`);
  const isSo = async () => {
    const { state, facts } = await site.api.call("hostShow", { params: { host: host.name } });
    return state === "connected" && facts?.qemu.accelerator === accelerator;
  };
  if (!(await until(isSo, { everyMs: 1000, limitMs })))
    throw new Error(`${host.name} does not say that its accelerator is ${accelerator}`);
  await site.connected();
}
