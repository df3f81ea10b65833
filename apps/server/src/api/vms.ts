/** VMs: registering, listing, power. Long work becomes a task after everything that can be refused was. */
import { type PageRequest, type serverOperations, type VmView } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { type VmCommand } from "@godwit/placement";
import { adoptVms } from "../adopt-vms.ts";
import { chooseKnownHost } from "../moves/choose-host.ts";
import type { Services } from "../services.ts";
import { ableTo } from "./able-to.ts";
import { hostFor as hostOf, reachable } from "./host-for-command.ts";
import { startVm } from "./start-vm.ts";
import { usageOf } from "./vm-usage.ts";

type VmOperations = Pick<
  typeof serverOperations,
  | "vmRegister"
  | "vmRegisterAll"
  | "vmList"
  | "vmSummaryList"
  | "vmShow"
  | "vmStart"
  | "vmStop"
  | "vmPause"
  | "vmSuspend"
  | "vmReset"
  | "vmResume"
  | "vmDelete"
  | "vmUnregister"
  | "vmConsole"
>;

export function vmHandlers(services: Services): Handlers<VmOperations> {
  const { store, hosts, tasks, consoles, cpuLimits } = services;

  const hostFor = (command: VmCommand, vm: VmView, named?: string) => hostOf(services, command, vm, named);

  const withHostState = <Vm extends Pick<VmView, "host">>(vm: Vm) =>
    ({ ...vm, hostState: hosts.isUp(vm.host) ? "connected" : "unreachable" }) as const;

  return {
    vmRegister: async ({ body }) => {
      const { datastore, name } = body;
      const host = await chooseKnownHost(services, { datastores: [datastore], nics: [] }, body.host);
      const link = hosts.of(host);
      const vm = await link.agent.call("vmRead", { params: { datastore, name } }).catch((error: unknown) => {
        throw link.unreachable(error);
      });
      // Where it runs is not in its folder: a host that runs it says so.
      const home = (await store.hosts.runnerOf(vm.id)) ?? host;
      await store.vms.enter(vm, { host: home, state: "stopped" });
      hosts.of(home).refresh();
      return await store.vms.show(vm.id);
    },

    vmRegisterAll: () => adoptVms(services),

    vmList: async ({ query }) => {
      const { rows, next } = await store.vms.page(tagged(query));
      return { vms: rows.map(withHostState), next };
    },
    vmSummaryList: async ({ query }) => {
      const { rows, next } = await store.vms.summaries(tagged(query));
      return { vms: rows.map(withHostState), next };
    },
    vmShow: async ({ params }) => {
      const view = await store.vms.show(params.vm);
      const [usage, cpuLimit] = await Promise.all([usageOf(store, view), cpuLimits.of(view)]);
      return { ...withHostState(view), ...usage, cpuLimit };
    },

    vmStart: async ({ params, body }) => await startVm(services, await store.vms.show(params.vm), body),

    vmStop: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      const host = await hostFor("stop", vm);
      return await tasks.start({
        kind: "vm.stop",
        request: { vm: referenceOf(vm), host, graceSeconds: body.graceSeconds },
      });
    },

    vmPause: async ({ params }) => {
      const vm = await store.vms.show(params.vm);
      const host = await hostFor("pause", vm);
      return await tasks.start({ kind: "vm.pause", request: { vm: referenceOf(vm), host } });
    },

    vmSuspend: async ({ params }) => {
      const vm = await store.vms.show(params.vm);
      const host = await hostFor("pause", vm);
      ableTo("suspend", await store.hosts.list(), host);
      const home = vm.config.datastore;
      return await tasks.start({ kind: "vm.suspend", request: { vm: referenceOf(vm), host, home } });
    },

    vmReset: async ({ params }) => {
      const vm = await store.vms.show(params.vm);
      const host = await hostFor("reset", vm);
      return await tasks.start({ kind: "vm.reset", request: { vm: referenceOf(vm), host } });
    },

    vmResume: async ({ params }) => {
      const vm = await store.vms.show(params.vm);
      const host = await hostFor("resume", vm);
      return await tasks.start({ kind: "vm.resume", request: { vm: referenceOf(vm), host } });
    },

    vmDelete: async ({ params, query }) => {
      const vm = await store.vms.show(params.vm);
      const host = await hostFor("delete", vm);
      return await tasks.start({
        kind: "vm.delete",
        request: { vm: referenceOf(vm), datastore: vm.config.datastore, host, disks: query.disks },
      });
    },

    vmUnregister: async ({ params }) => {
      const vm = await store.vms.show(params.vm);
      await hostFor("unregister", vm);
      await store.vms.remove(vm.id, null);
      return undefined;
    },

    vmConsole: async ({ params, query }) => {
      const vm = await store.vms.show(params.vm);
      const take = consoles.open(vm, query);
      await reachable(services, vm.host);
      return take;
    },
  };
}

const tagged = ({ tags, ...page }: PageRequest & { tags?: string | undefined }) => ({
  ...page,
  tags: tags?.split(",") ?? [],
});

const referenceOf = ({ id, name }: VmView) => ({ id, name });
