/** How the power of a host is controlled, as lines for people. Pure. */
import type { HostPower, PowerController, PowerView } from "@godwit/contract";
import { formatTable } from "./format.ts";

export function powerText(host: string, view: PowerView): string {
  const { controller, wakeSeconds, offSeconds, power, problem } = view;
  const { wokeAt, wakeFailure } = view.host;
  const said = problem ?? (power === null ? "unknown: Wake-on-LAN cannot tell" : power);
  return formatTable([
    ["host", host],
    ["controller", controllerText(controller)],
    ["power", said],
    ["standby", standbyText(view.host)],
    ["woke", wokeAt ?? "never by the server"],
    ...(wakeFailure === null ? [] : [["did not wake", `${wakeFailure.at}: ${wakeFailure.reason}`]]),
    ["waits", `${String(wakeSeconds)} s until it is back, ${String(offSeconds)} s until it is off`],
  ]);
}

export function standbyText({ state, since, pool }: HostPower): string {
  if (state === null) return "no";
  const words = { stopping: "it is being shut down", standby: "yes", waking: "it is being powered on" };
  return `${words[state]}, since ${since ?? ""}${pool === null ? "" : `, by pool ${pool}`}`;
}

function controllerText(controller: PowerController): string {
  switch (controller.kind) {
    case "redfish": {
      const { url, user, fingerprint, system } = controller;
      const pin = fingerprint === undefined ? "signed by an authority" : `certificate ${fingerprint}`;
      return `redfish at ${url}${system === undefined ? "" : ` (${system})`}, user ${user}, ${pin}`;
    }
    case "ipmi":
      return `ipmi at ${controller.address}, port ${String(controller.port ?? 623)}, user ${controller.user}`;
    case "wol":
      return `wol to ${controller.mac}, sent to ${controller.broadcast ?? "255.255.255.255"}`;
  }
}
