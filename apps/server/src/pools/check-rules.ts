/** What rules of pools say of one VM on one host. */
import { hasProcess, type Finding, type VmView } from "@godwit/contract";
import { brokenRules, ruleFinding } from "@godwit/placement";
import type { Inventory } from "../inventory.ts";
import { allRules, placesOfVms } from "./pool-reports.ts";

/**
 * Rules that must hold and that the VM would break there; warnings where they are forced.
 * @param runs whether it runs, or is to run, there: one that does not run counts for the rules about hosts that it names alone
 */
export async function ruleFindings(
  { store }: Pick<Inventory, "store">,
  vm: VmView,
  to: string,
  { runs = hasProcess(vm), force = false }: { runs?: boolean; force?: boolean | undefined } = {},
): Promise<Finding[]> {
  const judge = await ruleJudge({ store });
  return judge(vm, to, runs, force);
}

export type RuleJudge = (vm: VmView, to: string, runs?: boolean, force?: boolean) => Finding[];

/** As `ruleFindings`, for many pairs at once: what is known now. */
export async function ruleJudge({ store }: Pick<Inventory, "store">): Promise<RuleJudge> {
  const rules = await allRules(store);
  if (rules.length === 0) return () => [];
  const [hostOf, hosts] = await Promise.all([placesOfVms({ store }), store.hosts.list()]);
  const coresOf = new Map(
    hosts.flatMap(({ name, facts }) => (facts === null ? [] : [[name, facts.cpu.logicalCpus]])),
  );
  return (vm, to, runs = hasProcess(vm), force = false) =>
    brokenRules({ rules, hostOf, coresOf }, vm.id, to)
      .filter(({ terms }) => runs || terms.kind === "on" || terms.kind === "off")
      .map((rule) => ruleFinding(rule, vm.name, to, force));
}
