/** Alarms of a host that was fenced at a datastore: they are no reason why it does not answer, and they end when it has its access back. */
import { finding, type Finding } from "@godwit/contract";
import { createAuthority, createKeyAndRequest, issueCertificate } from "@godwit/pki";
import type { HostRow, Store } from "@godwit/store";
import { pino } from "pino";
import { expect, test } from "vitest";
import { hostView } from "../src/api/hosts.ts";
import { HostLinks } from "../src/hosts/host-links.ts";

const revoked = finding(
  "DATASTORE_ACCESS_REVOKED",
  { datastore: "vms", host: "b", since: "2026-01-01T00:00:00.000Z", reason: null },
  "warning",
);
const other = finding("HOST_DID_NOT_WAKE", { host: "b", reason: "no answer" }, "error");
const row = {
  ...{ name: "b", agentUrl: "https://127.0.0.1:1", maintenance: "none", pool: null, power: null },
  ...{ joinedAt: new Date(0), seenAt: new Date(0), moveBandwidth: null, facts: null, load: null },
  unreachableReason: "nothing listens there",
} as unknown as HostRow;
const codesOf = ({ alarms }: { alarms: Finding[] }) => alarms.map(({ code }) => code);

/** That a host's access is revoked, as the server knows it. */
async function linksWith(stack: AsyncDisposableStack, live: Finding[]): Promise<HostLinks> {
  const authority = await createAuthority("test");
  const { requestPem, keyPem } = await createKeyAndRequest("godwit-server");
  const member = { id: "0".repeat(64), number: 1 };
  const certificatePem = await issueCertificate({
    ...{ authority, requestPem, commonName: "godwit-server", unit: "server", validDays: 1, member },
  });
  const host = { ...row, memberId: member.id, certificateInUse: 1, certificateEndsAt: null };
  const store = {
    hosts: {
      ...{ list: () => Promise.resolve([host]), connections: () => Promise.resolve([host]) },
      lost: () => Promise.resolve(),
    },
    members: { list: () => Promise.resolve({ generation: 1, hosts: [] }) },
    generation: { current: 1 },
  } as unknown as Store;
  const access = { heard: () => live, alarms: () => live, seen: (load: never) => load };
  const identity = { caPem: authority.certificatePem, certificatePem, keyPem };
  const links = new HostLinks(identity, store, pino({ level: "silent" }), 30, null, access);
  await links.start();
  stack.defer(() => links.stop());
  return links;
}

test("a fenced host that does not answer is shown with the alarm, and with the reason why it does not answer", async () => {
  await using stack = new AsyncDisposableStack();
  const view = hostView(await linksWith(stack, [revoked]), { ...row, alarms: [revoked, other] });
  expect(view).toMatchObject({ state: "unreachable", unreachableReason: "nothing listens there" });
  expect(codesOf(view)).toEqual(["DATASTORE_ACCESS_REVOKED", "HOST_DID_NOT_WAKE"]);
});

test("once it has its access back the alarm of its last report is not shown any more", async () => {
  await using stack = new AsyncDisposableStack();
  const view = hostView(await linksWith(stack, []), { ...row, alarms: [revoked, other] });
  expect(codesOf(view)).toEqual(["HOST_DID_NOT_WAKE"]);
});
