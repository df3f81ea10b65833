/**
 * The server's operations one by one. Their schemas are made when their files are loaded, which costs a command of the
 * CLI more processor time than its request: what lists need has files of its own, everything else comes together.
 */
import type { Operation } from "./operation.ts";
import type { serverOperations } from "./server.ts";

export type ServerOperations = typeof serverOperations;

const own: Partial<Record<keyof ServerOperations, () => Promise<Operation>>> = {
  vmSummaryList: async () => (await import("./vm-summaries.ts")).vmSummaryOperations.vmSummaryList,
  hostSummaryList: async () => (await import("./host-summaries.ts")).hostSummaryOperations.hostSummaryList,
};

export async function loadServerOperation(name: keyof ServerOperations): Promise<Operation> {
  return (await own[name]?.()) ?? (await import("./server.ts")).serverOperations[name];
}
