/** Rules for the tests. */
import type { PoolRuleTerms, VmView } from "@godwit/contract";
import type { PoolRule } from "../../src/index.ts";

export const ruleOf = (
  name: string,
  terms: PoolRuleTerms,
  vms: readonly Pick<VmView, "id" | "name">[] = [],
  hosts: readonly string[] = [],
): PoolRule => ({ pool: "east", name, terms, vms: vms.map(({ id, name: of }) => ({ id, name: of })), hosts });
