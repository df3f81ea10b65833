/**
 * Takes in what hosts report: many reports are judged and written together, at most a few times a second, so that the
 * cost does not grow with the square of the hosts. A report alone is written at once. What an operator should know of a
 * host's VMs is judged again only when something that it follows from has changed: VMs are read for it.
 */
import type { Finding, HostFacts, HostLoad, VmId, VmView } from "@godwit/contract";
import { placeByReport } from "@godwit/placement";
import { errorsFirst, reportAlarms, stoppedGuests, unlearnedForLong, vmAlarms } from "@godwit/requirements";
import type { Place, PoolRow, ReportedVm, SeenHost, Store } from "@godwit/store";
import { sleep } from "@godwit/system";
import { LoadHistory } from "./load-history.ts";
import type { Logger } from "pino";

/** The pause between two writes, in which reports gather. */
const gatherMs = 200;
/** In one write: after a pause of the server or its database all hosts report at once, and a write has a time limit. */
const mostAtOnce = 64;

export interface Report {
  host: string;
  facts: HostFacts;
  load: HostLoad;
  /** What its connection shows: the version of its agent, and its certificate. */
  connectionFindings: Finding[];
  /** The last change of a VM that was known when the load was asked for. */
  known: number;
  /** Whether a VM that the host claims to run is the host's by its lease. */
  holdsLease: (vm: VmView) => Promise<boolean>;
}

type Pool = Pick<PoolRow, "name" | "baseline"> | null;

/** Of a host with its VMs and its pool. */
interface Judged {
  facts: HostFacts;
  /** All else that the alarms follow from: the pool, and what they take of the load and of VMs. */
  basis: string;
  alarms: Finding[];
}

export class ReportIntake {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #history: LoadHistory;
  readonly #onWritten: (load: HostLoad) => void;
  readonly #waiting = new Map<string, { report: Report; written: PromiseWithResolvers<undefined> }>();
  readonly #judged = new Map<string, Judged>();
  #writing = false;
  /** The write under way, or the last one; it never fails. */
  #lastWrite: Promise<void> = Promise.resolve();

  /** @param onWritten called with each load that was written */
  constructor(store: Store, log: Logger, onWritten: (load: HostLoad) => void = () => undefined) {
    this.#onWritten = onWritten;
    this.#store = store;
    this.#log = log;
    this.#history = new LoadHistory(store, log);
  }

  /** Resolves when the report is written, or withdrawn, and rejects when it could not be; a newer one of the same host takes its place. */
  async take(report: Report): Promise<void> {
    const before = this.#waiting.get(report.host);
    const written = before?.written ?? Promise.withResolvers<undefined>();
    this.#waiting.set(report.host, { report, written });
    if (!this.#writing) void this.#writeAll();
    await written.promise;
  }

  /** What a host that is lost had reported before counts no more: what waits is left out, and what is being written is written once this resolves. */
  async withdraw(host: string): Promise<void> {
    const waiting = this.#waiting.get(host);
    this.#waiting.delete(host);
    waiting?.written.resolve(undefined);
    await this.#lastWrite;
  }

  /** A host that is no more. */
  forget(host: string): void {
    this.#judged.delete(host);
    this.#history.forget(host);
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.size > 0) {
      const next = [...this.#waiting].slice(0, mostAtOnce);
      for (const [host] of next) this.#waiting.delete(host);
      const batch = next.map(([, one]) => one);
      try {
        const write = this.#write(batch.map(({ report }) => report));
        this.#lastWrite = write.then(
          () => undefined,
          () => undefined,
        );
        const placings = await write;
        // Asking for a lease takes as long as another host takes to answer: nobody else's report waits for it.
        batch.forEach(({ written }, index) => {
          placings[index]?.().then(() => {
            written.resolve(undefined);
          }, written.reject);
        });
      } catch (error) {
        for (const { written } of batch) written.reject(error);
      }
      if (this.#waiting.size < mostAtOnce) await sleep(gatherMs);
    }
    this.#writing = false;
  }

  /** @returns what each report says of its VMs' places, still to be written */
  async #write(reports: readonly Report[]): Promise<(() => Promise<void>)[]> {
    const names = reports.map(({ host }) => host);
    const ids = reports.flatMap(({ load }) =>
      [...load.vms, ...(load.unlearnedMacs ?? [])].map(({ id }) => id),
    );
    const [vms, pools] = await Promise.all([
      this.#store.vms.ofReports(names, ids),
      this.#store.pools.baselinesOf(names),
    ]);
    const byId = new Map(vms.map((vm) => [vm.id, vm]));
    const byHost = Map.groupBy(vms, ({ host }) => host);
    const seen: SeenHost[] = [];
    const unjudged = new Map<Report, unknown>();
    for (const report of reports) {
      const running = report.load.vms.flatMap(({ id, pid }) => {
        const vm = pid === null ? undefined : byId.get(id);
        return vm === undefined ? [] : [vm];
      });
      try {
        const departed = unlearnedForLong(report.load).flatMap(({ id }) => byId.get(id) ?? []);
        const alarms = await this.#alarmsOf(
          report,
          [...running, ...departed],
          pools.get(report.host) ?? null,
        );
        seen.push({ name: report.host, load: report.load, alarms });
      } catch (error) {
        // Whatever is wrong with one host's report concerns that host.
        unjudged.set(report, error);
      }
    }
    await this.#store.hosts.saw(seen);
    for (const { load } of seen) this.#onWritten(load);
    await this.#history.take(
      seen.map(({ name, load }) => ({ host: name, load })),
      (host, vmId) => byHost.get(host)?.some(({ id }) => id === vmId) ?? false,
    );
    return reports.map((report) => {
      if (unjudged.has(report)) return () => Promise.reject(unjudged.get(report));
      const concerned = new Set(byHost.get(report.host));
      for (const { id } of report.load.vms) {
        const vm = byId.get(id);
        if (vm !== undefined) concerned.add(vm);
      }
      return () => this.#place(report, concerned);
    });
  }

  /** @param vms that run there, or have moved away and are waited for */
  async #alarmsOf(report: Report, vms: readonly ReportedVm[], pool: Pool): Promise<Finding[]> {
    const { host, facts, load, connectionFindings } = report;
    const ofReport = [...connectionFindings, ...reportAlarms({ facts, load })];
    const datastores = load.datastores.map(({ name, reason }) => [name, reason]);
    const basis = JSON.stringify([
      ...[pool, datastores, stoppedGuests(load), unlearnedForLong(load)],
      vms.map(({ id, version }) => [id, version]),
    ]);
    const before = this.#judged.get(host);
    if (before?.facts === facts && before.basis === basis)
      return errorsFirst([...ofReport, ...before.alarms]);
    const views = vms.length === 0 ? [] : await this.#store.vms.some(vms.map(({ id }) => id));
    const alarms = vmAlarms({ facts, load }, views, pool);
    this.#judged.set(host, { facts, basis, alarms });
    return errorsFirst([...ofReport, ...alarms]);
  }

  async #place(report: Report, vms: Iterable<ReportedVm>): Promise<void> {
    const { host, known, holdsLease } = report;
    for (const vm of vms) {
      const isHere = vm.host === host;
      if (newPlace(vm, vm, report) === null) continue;
      if (!isHere && !(await this.#isConfirmed(vm.id, holdsLease))) {
        this.#log.warn(
          { host, vm: vm.name, at: vm.host },
          "the host claims to run a VM whose lease it does not hold",
        );
        continue;
      }
      await this.#store.vms.report(vm.id, known, (now) =>
        // It has been placed elsewhere since it was read: nothing confirms yet that it is here.
        isHere && now.host !== host ? null : newPlace(vm, now, report),
      );
    }
  }

  async #isConfirmed(id: VmId, holdsLease: Report["holdsLease"]): Promise<boolean> {
    const [view] = await this.#store.vms.some([id]);
    return view !== undefined && (await holdsLease(view));
  }
}

/** Where a VM that is said to be there is by a report; null when that is nothing new. */
function newPlace({ id }: ReportedVm, now: Place, { host, load }: Report): Place | null {
  const place = placeByReport({ id, ...now }, host, load.vms);
  const isSame = place?.host === now.host && place.state === now.state;
  const isSameReason = (place?.pauseReason ?? null) === (now.pauseReason ?? null);
  return isSame && (isSameReason || place.state !== "paused") ? null : place;
}
