/** Hosts: tokens, joining, listing, removing. */
import { GodwitError, type HostView, type serverOperations } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { fingerprintOf, issueCertificate } from "@godwit/pki";
import { requireCommonVersion } from "@godwit/requirements";
import type { HostRow } from "@godwit/store";
import { ownHello } from "@godwit/system";
import { serverName } from "../data-paths.ts";
import type { HostLinks } from "../hosts/host-links.ts";
import type { Services } from "../services.ts";

type HostOperations = Pick<
  typeof serverOperations,
  "hostTokenCreate" | "hostJoin" | "hostList" | "hostShow" | "hostRemove"
>;

const certificateDays = 3650;

export function hostHandlers({ store, hosts, data }: Services): Handlers<HostOperations> {
  const viewOf = (row: HostRow) => hostView(hosts, row);

  return {
    hostTokenCreate: async ({ body }) => {
      const expiresAt = new Date(Date.now() + body.validSeconds * 1000);
      const secret = await store.hosts.createToken(expiresAt);
      // The fingerprint lets the host know its server before it trusts it with anything.
      const fingerprint = await fingerprintOf(data.authority.certificatePem);
      return { token: `gwt1.${secret}.${fingerprint}`, expiresAt: expiresAt.toISOString() };
    },

    hostJoin: async ({ body, hello }) => {
      requireCommonVersion(body.name, hello, ownHello);
      const secret = /^gwt1\.([A-Za-z0-9_-]+)\./.exec(body.token)?.[1];
      if (secret === undefined) throw GodwitError.of("TOKEN_INVALID", { reason: "unknown" });
      // Whoever asks without a token costs no signature.
      await store.hosts.checkToken(secret);
      const issue = { authority: data.authority, commonName: body.name, validDays: certificateDays };
      const certificate = await issueCertificate({
        ...issue,
        requestPem: body.certificateRequest,
        unit: "host",
      });
      const migrationCertificate = await issueCertificate({
        ...issue,
        requestPem: body.migrationCertificateRequest,
        unit: "migration",
      });
      const certificateFingerprint = await fingerprintOf(certificate);
      await store.hosts.join(secret, { name: body.name, agentUrl: body.agentUrl, certificateFingerprint });
      hosts.add({ name: body.name, agentUrl: body.agentUrl, certificateFingerprint });
      return {
        name: body.name,
        caCertificate: data.authority.certificatePem,
        certificate,
        migrationCertificate,
        serverName,
      };
    },

    hostList: async () => ({ hosts: (await store.hosts.list()).map(viewOf) }),
    hostShow: async ({ params }) => viewOf(await store.hosts.show(params.host)),

    hostRemove: async ({ params, query }) => {
      await store.hosts.show(params.host);
      await store.hosts.remove(params.host, query.force);
      await hosts.remove(params.host);
      return undefined;
    },
  };
}

export function hostView(hosts: HostLinks, row: HostRow): HostView {
  const isUp = hosts.isUp(row.name);
  const versionAlarms = hosts.versionAlarms(row.name);
  return {
    name: row.name,
    agentUrl: row.agentUrl,
    state: isUp ? "connected" : "unreachable",
    maintenance: row.maintenance,
    joinedAt: row.joinedAt.toISOString(),
    seenAt: row.seenAt?.toISOString() ?? null,
    unreachableReason: isUp ? null : (versionAlarms[0]?.message ?? row.unreachableReason),
    pool: row.pool,
    alarms: [...versionAlarms, ...row.alarms],
    facts: row.facts,
    load: row.load,
  };
}
