/** `godwit lab …` */
import { listLabs } from "@godwit/lab/names";
import { stat } from "node:fs/promises";
import type { CpuReport } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand, buildRouteMap, numberParser } from "@stricli/core";
import { formatTable, parseBitRate } from "../output/format.ts";
import { nextSteps } from "../output/lab-view.ts";
import { StatusLine, writeJson, writeLine } from "../output/screen.ts";
import { program } from "../program.ts";
import { requireRoot } from "../require-root.ts";
import { jsonFlag } from "./common.ts";
import { summaries } from "../summaries.ts";

const idFlag = { kind: "parsed", parse: String, brief: "Name of the lab", default: "main" } as const;

const up = buildCommand({
  docs: {
    brief: "Create hosts, a server and a client as network namespaces on this machine",
    fullDescription: `Hosts are named a, b, c…; each runs a real agent and real QEMU. Nothing outside of the lab's own namespaces
and folder is touched. With --cpu a host passes for another CPU: a simulation, labelled as one; its VMs see no
more than that CPU has. A host's QEMU is the newest of this machine, where --qemu names no other.

Examples:
  godwit lab up --hosts 3 --link 1gbit
  godwit lab up --vm --qemu a=7.2
  godwit lab up --vm --cpu a=intel-penryn --cpu b=intel-merom
  godwit lab up --cpu b=report-of-another-server.txt`,
  },
  parameters: {
    flags: {
      id: idFlag,
      hosts: { kind: "parsed", parse: numberParser, brief: "How many hosts", default: "2" },
      link: { kind: "parsed", parse: parseBitRate, brief: "Speed of the migration links", optional: true },
      vm: { kind: "boolean", brief: "Boot the lab's guest on host a, as VM demo", default: false },
      cpu: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "HOST=MODE or HOST=FILE: an EVC mode, or a CPU report or dump",
        optional: true,
      },
      qemu: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "HOST=VERSION or HOST=PATH: the QEMU of a host",
        optional: true,
      },
    },
  },
  async func(flags: {
    id: string;
    hosts: number;
    link?: number;
    vm: boolean;
    cpu?: readonly string[];
    qemu?: readonly string[];
  }) {
    requireRoot("A lab makes network namespaces and");
    const hosts = hostNames(flags.hosts);
    const cpus = await simulatedCpus(ofHosts("--cpu", "MODE or HOST=FILE", flags.cpu ?? [], hosts));
    const qemu = ofHosts("--qemu", "VERSION or HOST=PATH", flags.qemu ?? [], hosts);
    const [{ Lab }, { setup }, { bootDemo, demoName }] = await Promise.all([
      import("@godwit/lab"),
      import("../setup/setup.ts"),
      import("../quickstart/demo.ts"),
    ]);
    await setup(new StatusLine());
    const lab = await Lab.up({
      id: flags.id,
      hosts,
      cpus,
      qemu,
      linkBitsPerSecond: flags.link ?? null,
      program,
      onStep: writeLine,
    });
    if (flags.vm) await bootDemo(lab, writeLine);
    for (const line of nextSteps(lab, flags.vm ? demoName : undefined)) writeLine(line);
    await lab.api.close();
  },
});

/** Values by host of a flag that is written HOST=VALUE. @throws USAGE */
function ofHosts(
  flag: string,
  values: string,
  words: readonly string[],
  hosts: readonly string[],
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const word of words) {
    const [host = "", value = ""] = word.split(/=(.*)/s);
    if (!hosts.includes(host) || value === "") {
      throw GodwitError.of("USAGE", {
        what: `${flag} ${word} ${value === "" ? "gives no value" : "names no host of the lab"}.`,
        hint: `Write HOST=${values}; hosts are ${hosts.join(", ")}.`,
      });
    }
    found[host] = value;
  }
  return found;
}

/** @throws EVC_MODE_UNKNOWN, and what is wrong with a file */
async function simulatedCpus(named: Readonly<Record<string, string>>): Promise<Record<string, CpuReport>> {
  const [{ evcModeNamed, reportOf, simulatedCpu }, { cpuArgument }] = await Promise.all([
    import("@godwit/cpu"),
    import("../cpu/argument.ts"),
  ]);
  const cpus: Record<string, CpuReport> = {};
  for (const [host, what] of Object.entries(named)) {
    const isFile = await stat(what).then(
      (found) => found.isFile(),
      () => false,
    );
    const source = isFile ? (await cpuArgument(what)).report : reportOf(simulatedCpu(evcModeNamed(what)));
    cpus[host] = source;
  }
  return cpus;
}

const down = buildCommand({
  docs: {
    brief: "Stop a lab and remove everything that belongs to it",
    fullDescription: "Example: godwit lab down",
  },
  parameters: {
    flags: {
      id: { kind: "parsed", parse: String, brief: "Name of the lab; default: the only one", optional: true },
    },
  },
  async func(flags: { id?: string }) {
    requireRoot("Ending a lab");
    const labs = await listLabs();
    const id = flags.id ?? (labs.length === 1 ? labs[0] : undefined);
    if (id === undefined || !labs.includes(id)) {
      throw GodwitError.of("USAGE", {
        what: id === undefined ? "No lab is named." : `There is no lab ${id}.`,
        hint:
          labs.length === 0
            ? "There is none on this machine."
            : `There are: ${labs.join(", ")}; name one with --id.`,
      });
    }
    const { removeLab } = await import("@godwit/lab");
    await removeLab(id);
    writeLine(`Lab ${id} is removed.`);
  },
});

const status = buildCommand({
  docs: { brief: "Show this machine's labs", fullDescription: "Example: godwit lab status --json" },
  parameters: { flags: { json: jsonFlag } },
  async func(flags: { json: boolean }) {
    const { readLabFile } = await import("@godwit/lab/lab-file");
    const labs = await Promise.all((await listLabs()).map((id) => readLabFile(id).catch(() => null)));
    const complete = labs.filter((lab) => lab !== null);
    if (flags.json) {
      writeJson(complete);
      return;
    }
    if (complete.length === 0) writeLine("There is no lab on this machine; godwit lab up creates one.");
    else {
      writeLine(
        formatTable([
          ["ID", "HOSTS", "API"],
          ...complete.map((lab) => [
            lab.id,
            lab.hosts.map(({ name }) => name).join(" "),
            `https://127.0.0.1:${String(lab.apiPort)}`,
          ]),
        ]),
      );
    }
  },
});

/** a, b, … z, then h27, h28… */
export const hostNames = (count: number): string[] =>
  Array.from({ length: count }, (_, index) =>
    index < 26 ? String.fromCharCode(97 + index) : `h${String(index + 1)}`,
  );

export const labRoutes = buildRouteMap({
  routes: { up, down, status },
  docs: { brief: summaries.lab.brief },
});
