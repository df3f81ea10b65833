/** All VMs and hosts of the cluster, whole or as lists show them. */
import type { HostSummary, HostView, VmSummary, VmView } from "@godwit/contract";
import type { Api } from "./connection.ts";
import { everyPage } from "./pages.ts";

export const allVms = async (api: Api): Promise<VmView[]> =>
  await everyPage(
    (query) => api.call("vmList", { query }),
    ({ vms }) => vms,
  );

export const allHosts = async (api: Api): Promise<HostView[]> =>
  await everyPage(
    (query) => api.call("hostList", { query }),
    ({ hosts }) => hosts,
  );

export const vmSummaries = async (api: Api): Promise<VmSummary[]> =>
  await everyPage(
    (query) => api.call("vmSummaryList", { query }),
    ({ vms }) => vms,
  );

export const hostSummaries = async (api: Api): Promise<HostSummary[]> =>
  await everyPage(
    (query) => api.call("hostSummaryList", { query }),
    ({ hosts }) => hosts,
  );
