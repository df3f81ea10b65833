/** Hosts: tokens, joining, listing, removing. */
import {
  finding,
  firstCertificate,
  GodwitError,
  hasProcess,
  type ErrorDetails,
  type Finding,
  type HostPower,
  type HostSummary,
  type HostView,
  type serverOperations,
} from "@godwit/contract";
import type { Actor, Handlers } from "@godwit/http";
import { fingerprintOf } from "@godwit/pki";
import { requireCommonVersion } from "@godwit/requirements";
import type { HostRow, HostSummaryRow } from "@godwit/store";
import { ownHello } from "@godwit/system";
import { serverName } from "../data-paths.ts";
import { issueHostCertificates, newMemberId } from "../hosts/host-certificates.ts";
import type { HostLinks } from "../hosts/host-links.ts";
import type { Services } from "../services.ts";
import { hostOf } from "./host-of.ts";

type HostOperations = Pick<
  typeof serverOperations,
  | "hostTokenCreate"
  | "hostJoin"
  | "hostCertificateRenew"
  | "hostCertificateUse"
  | "hostList"
  | "hostSummaryList"
  | "hostShow"
  | "hostSet"
  | "hostRemove"
>;

export function hostHandlers(services: Services): Handlers<HostOperations> {
  const { tasks, store, hosts, data, access, certificateDays } = services;
  const viewOf = (row: HostRow) => hostView(hosts, row);
  /** The certificate of a call is in use. */
  const takeInUse = async (actor: Actor): Promise<void> => {
    const name = hostOf(actor);
    if (actor.kind === "host" && (await store.hosts.usesCertificate(name, actor.certificate)))
      hosts.usesCertificate(name, actor.certificate);
  };

  return {
    hostTokenCreate: async ({ body }) => {
      const expiresAt = new Date(Date.now() + body.validSeconds * 1000);
      const { rejoin = null } = body;
      if (rejoin !== null) await store.hosts.show(rejoin);
      const secret = await store.hosts.createToken(expiresAt, rejoin);
      // The fingerprint lets the host know its server before it trusts it with anything.
      const fingerprint = await fingerprintOf(data.cluster.signing.certificatePem);
      return { token: `gwt1.${secret}.${fingerprint}`, expiresAt: expiresAt.toISOString() };
    },

    hostJoin: async ({ body, hello }) => {
      requireCommonVersion(body.name, hello, ownHello);
      const secret = /^gwt1\.([A-Za-z0-9_-]+)\./.exec(body.token)?.[1];
      if (secret === undefined) throw GodwitError.of("TOKEN_INVALID", { reason: "unknown" });
      // Whoever asks without a token costs no signature.
      await store.hosts.checkToken(secret);
      const { name, agentUrl } = body;
      const memberId = newMemberId();
      const issued = await issueHostCertificates(
        data.cluster.signing,
        certificateDays,
        name,
        { id: memberId, number: firstCertificate },
        body,
      );
      const host = { name, agentUrl, memberId, certificateEndsAt: issued.endsAt };
      await store.hosts.join(secret, host);
      await access.open();
      await hosts.add({ ...host, certificateInUse: firstCertificate });
      return {
        name,
        caCertificate: data.cluster.trustPem,
        certificate: issued.certificate,
        migrationCertificate: issued.migrationCertificate,
        serverName,
        members: await store.members.list(),
      };
    },

    hostCertificateRenew: async ({ body, actor }) => {
      const host = await store.hosts.show(hostOf(actor));
      // Also where the database was restored from a backup of before it was issued: no number is given twice.
      await takeInUse(actor);
      const member = { id: host.memberId, number: await store.hosts.nextCertificate(host.name) };
      const issued = await issueHostCertificates(
        data.cluster.signing,
        certificateDays,
        host.name,
        member,
        body,
      );
      await store.hosts.renewed(host.name, issued.endsAt);
      hosts.renewed(host.name, issued.endsAt);
      return {
        caCertificate: data.cluster.trustPem,
        certificate: issued.certificate,
        migrationCertificate: issued.migrationCertificate,
      };
    },

    hostCertificateUse: async ({ actor }) => {
      await takeInUse(actor);
      return undefined;
    },

    hostList: async ({ query }) => {
      const { rows, next } = await store.hosts.page(query);
      return { hosts: rows.map(viewOf), next };
    },
    hostSummaryList: async ({ query }) => {
      const { rows, next } = await store.hosts.summaries(query);
      return { hosts: rows.map((row) => hostSummary(hosts, row)), next };
    },
    hostShow: async ({ params }) => viewOf(await store.hosts.show(params.host)),

    hostSet: async ({ params, body: { moveBandwidthMbps } }) => {
      const { name } = await store.hosts.show(params.host);
      const bytesPerSecond = moveBandwidthMbps === null ? null : (moveBandwidthMbps * 1e6) / 8;
      await store.hosts.setMoveBandwidth(name, bytesPerSecond);
      tasks.setMoveBandwidth(name, bytesPerSecond);
      return viewOf(await store.hosts.show(name));
    },

    hostRemove: async ({ params, query }) => {
      const { name } = await store.hosts.show(params.host);
      if (query.force) await mustBeOff(services, name);
      await store.hosts.remove(name, query.force).catch((error: unknown) => {
        throw hosts.isUp(name) ? error : asOfSilentHost(error);
      });
      await hosts.remove(params.host);
      return undefined;
    },
  };
}

/** Why a host that does not answer is not removed: nothing can be moved away from it. */
const asOfSilentHost = (error: unknown): unknown =>
  GodwitError.is(error, "HOST_BUSY")
    ? GodwitError.of("HOST_BUSY", { ...error.problem.details, silent: true } as ErrorDetails<"HOST_BUSY">)
    : error;

/** What was believed of it last is not enough: it is asked now. @throws HOST_ALIVE when it answers */
async function mustBeOff({ store, hosts }: Services, host: string): Promise<void> {
  const link = hosts.of(host);
  const answers = await link.freshLoad().then(
    () => true,
    () => link.isUp,
  );
  if (!answers) return;
  const vms = (await store.vms.list()).filter((vm) => vm.host === host && hasProcess(vm));
  throw GodwitError.of("HOST_ALIVE", { host, vms: vms.map(({ name }) => name) });
}

export function hostView(hosts: HostLinks, row: HostRow): HostView {
  const isUp = hosts.isUp(row.name);
  const state = stateOf(isUp, row.power);
  const absence = [...hosts.absenceAlarms(row.name), ...wakeAlarms(row)];
  return {
    name: row.name,
    agentUrl: row.agentUrl,
    state,
    maintenance: row.maintenance,
    joinedAt: row.joinedAt.toISOString(),
    seenAt: row.seenAt?.toISOString() ?? null,
    unreachableReason: isUp ? null : (powerReason(row.power) ?? absence[0]?.message ?? row.unreachableReason),
    pool: row.pool,
    moveBandwidthMbps: row.moveBandwidth === null ? null : (row.moveBandwidth * 8) / 1e6,
    power: row.power,
    alarms: withLive([...absence, ...hosts.accessAlarms(row.name)], row.alarms, state),
    facts: row.facts,
    load: row.load,
  };
}

function hostSummary(hosts: HostLinks, row: HostSummaryRow): HostSummary {
  const state = stateOf(hosts.isUp(row.name), row.power);
  const absence = [...hosts.absenceAlarms(row.name), ...wakeAlarms(row)];
  return {
    ...row,
    state,
    seenAt: row.seenAt?.toISOString() ?? null,
    alarms: withLive([...absence, ...hosts.accessAlarms(row.name)], row.alarms, state),
  };
}

const stateOf = (isUp: boolean, power: HostPower | null): HostView["state"] =>
  isUp ? "connected" : power?.state === "standby" ? "standby" : "unreachable";

/** Why a host does not answer that the server powers off or on; null: it does not. */
const powerReason = (power: HostPower | null): string | null =>
  power?.state == null
    ? null
    : {
        stopping: "it is being shut down",
        standby: `it is powered off since ${power.since ?? ""}${power.pool === null ? "" : `, by pool ${power.pool} to save power`}`,
        waking: "it is being powered on",
      }[power.state];

const wakeAlarms = ({ name, power }: Pick<HostRow, "name" | "power">): Finding[] =>
  power?.wakeFailure == null
    ? []
    : [finding("HOST_DID_NOT_WAKE", { host: name, reason: power.wakeFailure.reason }, "error")];

/** Never taken from the last report: a host can get its access back while it does not report. */
const liveOnly = "DATASTORE_ACCESS_REVOKED";

/**
 * What the server knows itself counts before what was stored with the host's last report; of a host that is off nothing of that holds any more. Pure.
 */
const withLive = (
  live: readonly Finding[],
  stored: readonly Finding[],
  state: HostView["state"],
): Finding[] => [
  ...live,
  ...(state === "standby" ? [] : stored).filter(
    ({ code }) => code !== liveOnly && !live.some((one) => one.code === code),
  ),
];
