/** Which hosts could take which VMs, as people read it. */
import { finding } from "@godwit/contract";
import { expect, test } from "vitest";
import { checksTable, vmChecksText } from "../src/output/move-checks-view.ts";

const full = finding("DESTINATION_IN_MAINTENANCE", { host: "c" });
const yes = (to: string) => ({ to, allowed: true, errors: [], warnings: [], findings: [] });
const no = (to: string) => ({ to, allowed: false, errors: [full.code], warnings: [], findings: [full] });
const web = { vm: "web-1", from: "a", hosts: [yes("b"), no("c")] };
const db = { vm: "db-1", from: "b", hosts: [{ ...yes("a"), warnings: ["VM_MOVES_PAUSED"] }, no("c")] };

test("many VMs are a table with a column for each host, and the reasons by how many pairs have them", () => {
  expect(checksTable({ pathsTried: false, vms: [web, db] }).split("\n")).toEqual([
    "VM     HOST  a             b     c",
    "web-1  a     here          yes   no",
    "db-1   b     yes, warning  here  no",
    "",
    "What forbids moves:",
    "  DESTINATION_IN_MAINTENANCE: 2 pairs",
    "The reasons of one VM: godwit vm check web-1 --to any",
    "The migration networks were not tried: too many pairs of hosts.",
  ]);
  expect(checksTable({ pathsTried: true, vms: [] })).toBe("There is no VM.");
});

test("one VM is a sentence for each host, with the remedy of what forbids it", () => {
  expect(vmChecksText(web).split("\n")).toEqual([
    "web-1 may move from a to b.",
    "web-1 may not move from a to c.",
    `  ✗ ${full.message}`,
    `    ${full.remedy} (DESTINATION_IN_MAINTENANCE)`,
  ]);
  expect(vmChecksText({ ...web, hosts: [] })).toBe("There is no host but a for web-1.");
});
