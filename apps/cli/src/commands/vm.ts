/** `godwit vm …` */
import type { Strategy } from "@godwit/contract";
import { maskEntries } from "@godwit/cpu";
import { buildCommand, buildRouteMap, numberParser } from "@stricli/core";
import { withApi } from "../connection.ts";
import { masksFrom } from "../mask-arguments.ts";
import { formatTable, parseMs } from "../output/format.ts";
import { Exit, exitCodes, findingLines } from "../output/problem.ts";
import { writeJson, writeLine } from "../output/screen.ts";
import { runTask } from "../run-task.ts";
import { readVmFile } from "../vm-file.ts";
import { consoleCommand } from "./console.ts";
import { leaseRoutes } from "./lease.ts";
import { detachFlag, hostFlag, jsonFlag, nameArgument } from "./common.ts";

interface Json {
  json: boolean;
}
interface JsonDetach extends Json {
  detach: boolean;
}

const create = buildCommand({
  docs: {
    brief: "Create a VM from a description (YAML)",
    fullDescription: `Creates the VM's folder and disks on its datastore. The VM is not started.

  name: web-1
  datastore: shared
  memoryMib: 2048
  vcpus: 2
  disks:
    - { name: root, image: images/debian.qcow2 }   # taken over from the datastore
    - { name: data, sizeMib: 10240 }               # new and empty
  nics:
    - { portGroup: office }

Example: godwit vm create web-1.yaml`,
  },
  parameters: {
    flags: { json: jsonFlag, detach: detachFlag, host: hostFlag("that makes the VM's folder") },
    positional: nameArgument("file", "Description; - reads standard input"),
  },
  async func(flags: JsonDetach & { host?: string }, file: string) {
    const description = await readVmFile(file);
    const host = flags.host === undefined ? {} : { host: flags.host };
    await withApi((api) =>
      runTask(
        api,
        api.call("vmCreate", { body: { description, ...host } }),
        flags,
        `VM ${description.name} is created.`,
      ),
    );
  },
});

const register = buildCommand({
  docs: {
    brief: "Read a VM's folder from a datastore back into the inventory",
    fullDescription: "Example: godwit vm register shared web-1",
  },
  parameters: {
    flags: { json: jsonFlag, host: hostFlag("that sees the datastore") },
    positional: {
      kind: "tuple",
      parameters: [
        { brief: "Datastore", placeholder: "datastore", parse: String },
        { brief: "Name of the VM's folder", placeholder: "name", parse: String },
      ],
    },
  },
  async func(flags: Json & { host?: string }, datastore: string, name: string) {
    const host = flags.host === undefined ? {} : { host: flags.host };
    const vm = await withApi((api) => api.call("vmRegister", { body: { datastore, name, ...host } }));
    if (flags.json) writeJson(vm);
    else writeLine(`VM ${vm.name} is registered; its host is ${vm.host}.`);
  },
});

const setCpu = buildCommand({
  docs: {
    brief: "Set what a VM's CPU is to be from its next power-on",
    fullDescription: `Without anything named it follows its pool's EVC mode or, where there is none, its host. A VM that runs keeps its
CPU until it is powered off. Masks are vSphere's: KEY=VALUE, or a .vmx file that has some.

Examples:
  godwit vm set-cpu web-1 --evc intel-westmere
  godwit vm set-cpu web-1 --mask web-1.vmx
  godwit vm set-cpu web-1 --mask featMask.vm.cpuid.AES=Val:0
  godwit vm set-cpu web-1`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      evc: { kind: "parsed", parse: String, brief: "An EVC mode of its own", optional: true },
      model: { kind: "parsed", parse: String, brief: "A certain CPU model of QEMU's", optional: true },
      mask: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "KEY=VALUE, or a .vmx file",
        optional: true,
      },
    },
    positional: nameArgument("vm", "Name or id"),
  },
  async func(flags: Json & { evc?: string; model?: string; mask?: readonly string[] }, vm: string) {
    const masks = flags.mask === undefined ? null : maskEntries(await masksFrom(flags.mask));
    const asked = flags.evc !== undefined || flags.model !== undefined || masks !== null;
    const cpu = {
      ...(flags.evc === undefined ? {} : { evcMode: flags.evc }),
      ...(flags.model === undefined ? {} : { model: flags.model }),
      ...(masks === null ? {} : { masks: Object.fromEntries(masks) }),
    };
    const body = { cpu: asked ? cpu : null };
    await withApi((api) =>
      runTask(
        api,
        api.call("vmCpuSet", { params: { vm }, body }),
        flags,
        `VM ${vm} has it from its next power-on.`,
      ),
    );
  },
});

const start = buildCommand({
  docs: { brief: "Power a VM on", fullDescription: "Example: godwit vm start web-1" },
  parameters: {
    flags: { json: jsonFlag, detach: detachFlag, host: hostFlag("that runs it; default: where it ran last") },
    positional: nameArgument("vm", "Name or id"),
  },
  async func(flags: JsonDetach & { host?: string }, vm: string) {
    const host = flags.host === undefined ? {} : { host: flags.host };
    await withApi((api) =>
      runTask(api, api.call("vmStart", { params: { vm }, body: host }), flags, `VM ${vm} runs.`),
    );
  },
});

const stop = buildCommand({
  docs: {
    brief: "Power a VM off",
    fullDescription: `Presses the power button; a guest that has not shut down after the grace time is switched off.

Example: godwit vm stop web-1 --grace 30`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      grace: {
        kind: "parsed",
        parse: numberParser,
        brief: "Seconds before it is switched off",
        default: "60",
      },
    },
    positional: nameArgument("vm", "Name or id"),
  },
  async func(flags: JsonDetach & { grace: number }, vm: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmStop", { params: { vm }, body: { graceSeconds: flags.grace } }),
        flags,
        `VM ${vm} is stopped.`,
      ),
    );
  },
});

const remove = buildCommand({
  docs: { brief: "Delete a stopped VM with its disks", fullDescription: "Example: godwit vm delete web-1" },
  parameters: { flags: { json: jsonFlag, detach: detachFlag }, positional: nameArgument("vm", "Name or id") },
  async func(flags: JsonDetach, vm: string) {
    await withApi((api) =>
      runTask(api, api.call("vmDelete", { params: { vm } }), flags, `VM ${vm} is deleted.`),
    );
  },
});

const list = buildCommand({
  docs: { brief: "List VMs", fullDescription: "Example: godwit vm list --json" },
  parameters: { flags: { json: jsonFlag } },
  async func(flags: Json) {
    const { vms } = await withApi((api) => api.call("vmList", {}));
    if (flags.json) {
      writeJson(vms);
      return;
    }
    writeLine(
      formatTable([
        ["NAME", "STATE", "HOST", "MEMORY", "VCPUS", "DATASTORE"],
        ...vms.map((vm) => [
          vm.name,
          vm.state,
          vm.host,
          `${String(vm.config.memoryMib)} MiB`,
          String(vm.config.vcpus),
          vm.config.datastore,
        ]),
      ]),
    );
  },
});

const show = buildCommand({
  docs: { brief: "Show one VM", fullDescription: "Example: godwit vm show web-1" },
  parameters: { flags: { json: jsonFlag }, positional: nameArgument("vm", "Name or id") },
  async func(flags: Json, vm: string) {
    const view = await withApi((api) => api.call("vmShow", { params: { vm } }));
    if (flags.json) {
      writeJson(view);
      return;
    }
    const { config } = view;
    writeLine(
      formatTable([
        ["name", view.name],
        ["id", view.id],
        ["state", `${view.state} (as of ${view.seenAt})`],
        ["host", view.host],
        ["memory", `${String(config.memoryMib)} MiB`],
        [
          "vcpus",
          `${String(config.vcpus)} × ${[config.cpu.model, ...config.cpu.add.map((name) => `+${name}`), ...config.cpu.remove.map((name) => `-${name}`)].join(",")}`,
        ],
        ["evc mode", config.cpu.evcMode ?? "none"],
        ...(config.cpu.features === undefined ? [] : [["cpu features", config.cpu.features.join(" ")]]),
        ["machine", config.machine],
        ...config.disks.map((disk) => [
          `disk ${disk.name}`,
          `${config.datastore}:${disk.path} (${disk.format})`,
        ]),
        ...config.nics.map((nic, index) => [`nic ${String(index)}`, `${nic.portGroup} ${nic.mac}`]),
      ]),
    );
  },
});

const check = buildCommand({
  docs: {
    brief: "Tell what a move to a host would be refused for",
    fullDescription: `All findings at once, each with what to do. Ends with 0 when the VM may move, with 3 when not.

Example: godwit vm check web-1 --to b`,
  },
  parameters: {
    flags: { json: jsonFlag, to: { kind: "parsed", parse: String, brief: "Destination host" } },
    positional: nameArgument("vm", "Name or id"),
  },
  async func(flags: Json & { to: string }, vm: string) {
    const answer = await withApi((api) => api.call("vmCheck", { params: { vm }, body: { to: flags.to } }));
    if (flags.json) writeJson(answer);
    else {
      const verdict = answer.mayMove ? "may move" : "may not move";
      writeLine(`${answer.vm} ${verdict} from ${answer.from} to ${answer.to}.`);
      for (const line of findingLines(answer.findings)) writeLine(line);
    }
    if (!answer.mayMove) throw new Exit(exitCodes.refused);
  },
});

const migrate = buildCommand({
  docs: {
    brief: "Move a VM to another host while it runs",
    fullDescription: `The VM goes on at the destination; its users notice nothing. A switch that would take longer than
--max-outage is undone and tried again. A VM that does not run changes its home only.

A VM that changes its memory faster than the link carries it never fits the pause. With --strategy postcopy its memory
is sent once; then the VM goes on at the destination and what it had changed since follows. Until that is done the VM
is lost if either host fails; a broken link only makes it wait.

Examples:
  godwit vm migrate web-1 --to b
  godwit vm migrate web-1 --to b --max-outage 20ms --json
  godwit vm migrate web-1 --to b --strategy postcopy`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      to: { kind: "parsed", parse: String, brief: "Destination host" },
      maxOutage: {
        kind: "parsed",
        parse: parseMs,
        brief: "Longest pause that is allowed (default 50ms; 250ms for an emulated VM)",
        optional: true,
      },
      strategy: {
        kind: "enum",
        values: ["auto", "precopy", "postcopy"],
        brief: "How memory is moved",
        default: "auto",
      },
      bandwidth: {
        kind: "parsed",
        parse: numberParser,
        brief: "Ceiling for the copy, Mbit/s",
        optional: true,
      },
    },
    positional: nameArgument("vm", "Name or id"),
  },
  async func(
    flags: JsonDetach & { to: string; maxOutage?: number; strategy: Strategy; bandwidth?: number },
    vm: string,
  ) {
    const body = {
      to: flags.to,
      ...(flags.maxOutage === undefined ? {} : { maxOutageMs: flags.maxOutage }),
      strategy: flags.strategy,
      ...(flags.bandwidth === undefined ? {} : { bandwidthMbps: flags.bandwidth }),
    };
    await withApi((api) =>
      runTask(
        api,
        api.call("vmMigrate", { params: { vm }, body }),
        flags,
        `VM ${vm} has its home on ${flags.to} now.`,
      ),
    );
  },
});

export const vmRoutes = buildRouteMap({
  routes: {
    list,
    show,
    create,
    register,
    setCpu,
    start,
    stop,
    check,
    migrate,
    console: consoleCommand,
    lease: leaseRoutes,
    delete: remove,
  },
  docs: { brief: "VMs: create, start, stop, check, migrate, console, lease" },
});
