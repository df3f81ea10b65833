/** All VMs and hosts of the cluster, whole or as lists show them. */
import type { HostSummary, HostView, VmSummary, VmView } from "@godwit/contract";
import type { Api } from "./connection.ts";
import { everyPage } from "./pages.ts";

/** @param tags that each has; none: all VMs */
export const allVms = async (api: Api, tags: readonly string[] = []): Promise<VmView[]> =>
  await everyPage(
    (query) => api.call("vmList", { query: { ...query, ...filterOf(tags) } }),
    ({ vms }) => vms,
  );

export const allHosts = async (api: Api): Promise<HostView[]> =>
  await everyPage(
    (query) => api.call("hostList", { query }),
    ({ hosts }) => hosts,
  );

/** @param tags that each has; none: all VMs */
export const vmSummaries = async (api: Api, tags: readonly string[] = []): Promise<VmSummary[]> =>
  await everyPage(
    (query) => api.call("vmSummaryList", { query: { ...query, ...filterOf(tags) } }),
    ({ vms }) => vms,
  );

export const hostSummaries = async (api: Api): Promise<HostSummary[]> =>
  await everyPage(
    (query) => api.call("hostSummaryList", { query }),
    ({ hosts }) => hosts,
  );

const filterOf = (tags: readonly string[]): { tags?: string } =>
  tags.length === 0 ? {} : { tags: tags.join(",") };
