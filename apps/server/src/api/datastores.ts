/** Datastores: defined, shown, removed. What is defined is written first; the hosts are told then, and again until they have it. */
import { GodwitError, type DatastoreView, type serverOperations } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { notByProgram } from "../fencing/fence-host.ts";
import { notToSet } from "../datastores/reservation-changes.ts";
import { datastoreViews } from "../datastores/datastore-views.ts";
import type { Services } from "../services.ts";

type DatastoreOperations = Pick<
  typeof serverOperations,
  | "datastoreList"
  | "datastoreShow"
  | "datastoreBrowse"
  | "datastoreAdd"
  | "datastoreInit"
  | "datastoreSet"
  | "datastoreRestore"
  | "datastoreRemove"
>;

/** Hosts are waited for by no more than this; what they have not applied by then is shown as it is. */
const applyLimitMs = 10_000;
/** Of storage that may be slow. */
const initLimitMs = 20_000;

export function datastoreHandlers({
  store,
  hosts,
  chapSecrets,
  access,
}: Services): Handlers<DatastoreOperations> {
  const views = async (): Promise<DatastoreView[]> => {
    const [rows, all, vms] = await Promise.all([
      store.datastores.list(),
      store.hosts.list(),
      store.datastores.users(),
    ]);
    const now = all.map(({ name, facts, load }) => ({ name, facts, load, isUp: hosts.isUp(name) }));
    const revoked = (datastore: string, host: string) => access.of(datastore, host);
    return datastoreViews(rows, now, revoked).map((view) => ({ ...view, vms: vms.get(view.name) ?? [] }));
  };
  const viewOf = async (name: string): Promise<DatastoreView> => {
    const all = await views();
    const found = all.find((view) => view.name === name);
    if (found !== undefined) return found;
    throw GodwitError.of("DATASTORE_UNKNOWN", { datastore: name, known: all.map((view) => view.name) });
  };
  const abilitiesNow = async () => {
    const facts = new Map((await store.hosts.list()).map((host) => [host.name, host.facts]));
    return (host: string) => facts.get(host)?.abilities ?? [];
  };
  return {
    datastoreList: async () => ({ datastores: await views() }),
    datastoreShow: async ({ params }) => await viewOf(params.datastore),

    datastoreBrowse: async ({ params, query }) => {
      const { datastore } = params;
      const { hosts: on } = await viewOf(datastore);
      if (query.host !== undefined) await store.hosts.show(query.host);
      const asked = query.host ?? on.find(({ state }) => state === "available")?.host ?? on[0]?.host;
      if (asked === undefined || !on.some(({ host }) => host === asked)) {
        const known = on.map(({ host }) => `${datastore} on ${host}`);
        throw GodwitError.of("DATASTORE_UNKNOWN", {
          datastore,
          ...(asked === undefined ? {} : { host: asked }),
          known,
        });
      }
      const link = hosts.of(asked);
      const path = query.path === undefined ? {} : { path: query.path };
      const listed = await link.agent
        .call("datastoreBrowse", { params: { datastore }, query: path }, { timeoutMs: initLimitMs })
        .catch((error: unknown) => {
          throw link.unreachable(error);
        });
      return { host: asked, ...listed };
    },

    datastoreAdd: async ({ body }) => {
      await store.datastores.add({ ...body, ...(await chapSecrets.seal(body)) });
      await hosts.datastores.changed(applyLimitMs);
      return await viewOf(body.name);
    },

    datastoreInit: async ({ params, body }) => {
      const { datastore } = params;
      const { hosts: on } = await viewOf(datastore);
      await store.hosts.show(body.host);
      const there = on.find(({ host }) => host === body.host);
      const known = on.map(({ host }) => host);
      if (there === undefined)
        throw GodwitError.of("DATASTORE_UNKNOWN", { datastore, host: body.host, known });
      if (there.state === "notApplied") {
        const reason = there.reason ?? "";
        throw GodwitError.of("DATASTORE_NOT_APPLIED", { datastore, host: body.host, reason });
      }
      const link = hosts.of(body.host);
      const { isNew } = await link.agent
        .call(
          "datastoreInit",
          { params: { datastore }, body: { onRoot: body.onRoot } },
          { timeoutMs: initLimitMs },
        )
        .catch((error: unknown) => {
          throw link.unreachable(error);
        });
      await link.reported();
      return { isNew };
    },

    datastoreSet: async ({ params, body }) => {
      const { datastore } = params;
      const { reservations: on, fenceProgram: program } = body;
      const view = await viewOf(datastore);
      if (on !== undefined && view.source.kind !== "lun")
        throw GodwitError.of("DATASTORE_WITHOUT_RESERVATIONS", { datastore });
      if (program != null) {
        const reason = notByProgram(view, await abilitiesNow());
        if (reason !== null) throw GodwitError.of("DATASTORE_WITHOUT_FENCING", { datastore, reason });
        await access.check(
          datastore,
          program,
          view.hosts.map(({ host }) => host),
        );
      }
      if (on !== undefined && view.reservations !== on) {
        const why = notToSet(view, on, await abilitiesNow());
        if (why.length > 0) throw GodwitError.of("RESERVATIONS_REFUSED", { datastore, on, why });
        await store.datastores.setReservations(datastore, on);
        await hosts.datastores.changed(applyLimitMs);
      }
      if (program !== undefined) await store.datastores.setFenceProgram(datastore, program);
      return await viewOf(datastore);
    },

    datastoreRestore: async ({ params, body }) => {
      await store.hosts.show(body.host);
      await access.restore(params.datastore, body.host);
      if (hosts.isUp(body.host)) await hosts.of(body.host).reported();
      return await viewOf(params.datastore);
    },

    datastoreRemove: async ({ params, query }) => {
      if (query.host !== undefined) await store.hosts.show(query.host);
      await store.datastores.remove(params.datastore, query.host ?? null);
      await hosts.datastores.changed(applyLimitMs);
      return undefined;
    },
  };
}
