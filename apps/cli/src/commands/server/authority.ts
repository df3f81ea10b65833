/** `godwit server ca …`: the cluster's certificate authority. */
import type { AuthorityView } from "@godwit/contract";
import { buildCommand, buildRouteMap } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

/** What an operator does when all hosts are ready. */
const nextStep: Record<NonNullable<AuthorityView["phase"]>, string> = {
  trusting:
    "All hosts trust both authorities. Give clients on other machines the server's pki/ca-cert.pem, which has both, then: godwit server ca rotate",
  replacing:
    "All hosts have certificates of the new authority. Take the old one away with: godwit server ca rotate",
  closing: "No host trusts the old authority any more. End it with: godwit server ca rotate",
};

const show = buildCommand({
  docs: {
    brief: "Show the certificate authority, and how far hosts are when a new one takes its place",
    fullDescription: "Example: godwit server ca show",
  },
  parameters: { flags: { json: jsonFlag } },
  async func({ json }: JsonFlags) {
    const view = await withApi((api) => api.call("authorityShow", {}));
    if (json) writeJson(view);
    else writeView(view);
  },
});

const rotate = buildCommand({
  docs: {
    brief: "Put a new certificate authority in the place of the old one, step by step and without a break",
    fullDescription: `Run it once for each step: a new authority that all hosts trust beside the old one; certificates of the new one; the
old one trusted no more; the end. VMs run and move meanwhile, and the server may be restarted. A step is refused
while a host is not ready for it. A host that is left out joins again later: godwit host token --rejoin HOST.

Examples:
  godwit server ca rotate
  godwit server ca rotate --without host-c`,
  },
  parameters: {
    flags: {
      without: {
        kind: "parsed",
        parse: String,
        variadic: true,
        optional: true,
        brief: "A host that is not waited for",
      },
      json: jsonFlag,
    },
  },
  async func(flags: JsonFlags & { without?: readonly string[] }) {
    const body = { without: [...(flags.without ?? [])] };
    const view = await withApi((api) => api.call("authorityRotate", { body }));
    if (flags.json) writeJson(view);
    else writeView(view);
  },
});

function writeView({ phase, signing, next, hosts }: AuthorityView): void {
  writeLine(`signs    ${signing.fingerprint} (until ${signing.until.slice(0, 10)})`);
  if (phase === null || next === null) return;
  writeLine(`new      ${next.fingerprint} (until ${next.until.slice(0, 10)})`);
  writeLine(`phase    ${phase}`);
  for (const { host, state, reason } of hosts)
    writeLine(`host     ${host}: ${state}${reason === "" ? "" : ` (${reason})`}`);
  if (hosts.every(({ state }) => state === "ready")) writeLine(nextStep[phase]);
  else writeLine("Hosts that are behind follow within seconds: godwit server ca show");
}

export const authorityRoutes = buildRouteMap({
  routes: { show, rotate },
  docs: { brief: "The cluster's certificate authority: show, rotate" },
});
