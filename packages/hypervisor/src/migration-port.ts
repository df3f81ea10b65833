/**
 * The migration commands of one QEMU process: thin actions, no decisions. TLS credentials are made for a
 * move and removed after it, so that a renewed certificate counts from the next move on.
 */
import { once } from "node:events";
import {
  GodwitError,
  hostAndPort,
  ipAddressSchema,
  portSchema,
  type MemoryWait,
  type PortRange,
} from "@godwit/contract";
import { listenInRange, sleep } from "@godwit/system";
import type { MigrationCapability, MigrationParameter, QmpSession } from "@godwit/qmp";
import type { MigrationCredentials, StreamEnd } from "./credentials.ts";

export interface MigrationStatus {
  /** QEMU's word: none, setup, active, pre-switchover, device, postcopy-active, completed, failed, cancelled … */
  status: string;
  totalBytes: number;
  transferredBytes: number;
  remainingBytes: number;
  dirtyBytesPerSecond: number;
  rounds: number;
  qemuDowntimeMs: number | null;
  /** At the destination, after a post-copy: how long all vCPUs waited for memory at once, and each; null: nobody counted. */
  waitedForMemory: MemoryWait | null;
  error: string | null;
}

/** Beyond what any QEMU of Godwit's has. */
const mostVcpus = 4096;

/** Whether QEMU has measured. */
const askEveryMs = 20;

/** QEMU's names of what a stream is secured with, there from its preparation to the end of its move. */
export const credentials = "godwit-tls";
export const authorisation = "godwit-authz";

/** `migrate-set-capabilities` and `migrate-set-parameters`, in QEMU's words. */
export interface MigrationSettings {
  readonly capabilities: Readonly<Partial<Record<MigrationCapability, boolean>>>;
  readonly parameters: Readonly<Partial<Record<MigrationParameter, number>>>;
}

/** Lets QEMU read credentials in the folder that `read` is called with. */
type LendCredentials = (
  credentials: MigrationCredentials,
  end: StreamEnd,
  read: (folder: string) => Promise<void>,
) => Promise<void>;

export class MigrationPort {
  readonly #qmp: () => QmpSession;
  readonly #lend: LendCredentials;

  constructor(qmp: () => QmpSession, lend: LendCredentials) {
    this.#qmp = qmp;
    this.#lend = lend;
  }

  /** @throws QMP_REFUSED, for example when a capability needs what the host does not give to QEMU */
  async configure({ capabilities, parameters }: MigrationSettings): Promise<void> {
    const asked = Object.entries(capabilities).map(([capability, state]) => ({ capability, state }));
    // While a copy runs QEMU refuses these, also when there is none among them.
    if (asked.length > 0) await this.#qmp().execute("migrate-set-capabilities", { capabilities: asked });
    if (Object.keys(parameters).length > 0) await this.#qmp().execute("migrate-set-parameters", parameters);
  }

  /** @throws QMP_REFUSED, for example when the credentials cannot be read */
  async configureSource(options: {
    settings: MigrationSettings;
    credentials: MigrationCredentials;
    /** The destination's name in its certificate. */
    destinationName: string;
  }): Promise<void> {
    await this.configure(options.settings);
    await this.#addCredentials(options.credentials, "client");
    await this.#qmp().execute("migrate-set-parameters", {
      "tls-creds": credentials,
      "tls-hostname": options.destinationName,
    });
  }

  /** Only the source's own certificate may send. @throws QMP_REFUSED, for example when the credentials cannot be read */
  async secureDestination(options: { credentials: MigrationCredentials; sourceName: string }): Promise<void> {
    await this.#addCredentials(options.credentials, "server");
    await this.#removeObject(authorisation);
    await this.#qmp().execute("object-add", {
      "qom-type": "authz-simple",
      id: authorisation,
      // The order of the parts is that of the certificate.
      identity: `OU=migration,CN=${options.sourceName}`,
    });
    await this.#qmp().execute("migrate-set-parameters", {
      "tls-creds": credentials,
      "tls-authz": authorisation,
      ...announcement("announce-"),
    });
  }

  /**
   * Lets the incoming side listen, on the first port of the range that is free: QEMU binds one after the other, so that
   * two that look at once never get the same.
   * @param overAllLinks also over further links of the two hosts (Multipath TCP), for a source that asks for them; others have TCP
   * @returns the port that QEMU took
   * @throws QMP_REFUSED, also when none is free
   */
  async listen(address: string, { first, last }: PortRange, overAllLinks = false): Promise<number> {
    const uri = `${tcpUri(address, first)},to=${String(last)}${overAllLinks ? multipath : ""}`;
    await this.#qmp().execute("migrate-incoming", { uri });
    const { "socket-address": addresses } = await this.#qmp().execute("query-migrate");
    const port = Number(addresses?.[0]?.port);
    if (!Number.isInteger(port) || port <= 0) {
      throw GodwitError.of("QMP_REFUSED", {
        command: "migrate-incoming",
        class: "GenericError",
        reason: "it reported no port",
      });
    }
    return port;
  }

  /** @param overAllLinks as `listen` has it */
  async start(address: string, port: number, overAllLinks = false): Promise<void> {
    await this.#qmp().execute("migrate", { uri: tcpUri(address, port) + (overAllLinks ? multipath : "") });
  }

  /** The same to whoever listens at this unix socket. */
  async startTo(path: string): Promise<void> {
    await this.#qmp().execute("migrate", { uri: `unix:${path}` });
  }

  /** Lets the incoming side read from a file that QEMU has open. */
  async readFrom(descriptor: number): Promise<void> {
    await this.#qmp().execute("migrate-incoming", { uri: `fd:${String(descriptor)}` });
  }

  /** QEMU stops the guest, pauses before the switchover as always, and sends what is left while the guest runs at the destination. */
  async startPostcopy(): Promise<void> {
    await this.#qmp().execute("migrate-start-postcopy");
  }

  /**
   * Ends a copy that is at its last step by breaking its stream, out of band: QEMU then takes its disks back before it
   * lets the guest run. A `migrate_cancel` that comes while it gives them away makes it forget that (7.2.22 aborted).
   */
  async yank(): Promise<void> {
    await this.#qmp().execute("yank", { instances: [{ type: "migration" }] }, { outOfBand: true });
  }

  /** Breaks a post-copy's stream, so that it can be re-established. @throws QMP_REFUSED when there is none */
  async breakStream(): Promise<void> {
    await this.#qmp().execute("migrate-pause", {}, { outOfBand: true });
  }

  /**
   * Lets the destination listen again. Out of band, for all that QEMU does otherwise may wait for memory that is missing;
   * so the port, which could only be asked for in band, is chosen before.
   */
  async listenForRest(address: string, ports: PortRange): Promise<number> {
    const port = await freePort(address, ports);
    const uri = tcpUri(address, port);
    await this.#qmp().execute("migrate-recover", { uri }, { outOfBand: true });
    return port;
  }

  /** Sends the rest over a new stream, which somebody listens for at this unix socket. */
  async resumeStream(path: string): Promise<void> {
    await this.#qmp().execute("migrate", { uri: `unix:${path}`, resume: true });
  }

  async continueSwitchover(): Promise<void> {
    await this.#qmp().execute("migrate-continue", { state: "pre-switchover" });
  }

  async cancel(): Promise<void> {
    await this.#qmp().execute("migrate_cancel");
  }

  /** Takes the credentials away again, and the parameters that point to them. */
  async forgetCredentials(): Promise<void> {
    await this.#qmp().execute("migrate-set-parameters", {
      "tls-creds": "",
      "tls-hostname": "",
      "tls-authz": "",
    });
    await this.#removeObject(credentials);
    await this.#removeObject(authorisation);
  }

  async query(): Promise<MigrationStatus> {
    const reply = await this.#qmp().execute("query-migrate");
    const { ram } = reply;
    return {
      status: reply.status ?? "none",
      totalBytes: ram?.total ?? 0,
      transferredBytes: ram?.transferred ?? 0,
      remainingBytes: ram?.remaining ?? 0,
      dirtyBytesPerSecond: (ram?.["dirty-pages-rate"] ?? 0) * (ram?.["page-size"] ?? 4096),
      rounds: ram?.["dirty-sync-count"] ?? 0,
      qemuDowntimeMs: reply.downtime ?? null,
      waitedForMemory:
        reply["postcopy-blocktime"] === undefined
          ? null
          : {
              allMs: reply["postcopy-blocktime"],
              vcpuMs: (reply["postcopy-vcpu-blocktime"] ?? []).slice(0, mostVcpus),
            },
      error: reply["error-desc"] ?? null,
    };
  }

  /**
   * How much memory the guest changes within a period, by comparing samples of its pages: its copy is not needed for it. No
   * event tells when QEMU has measured, so that it is asked.
   * @param ms other than whole seconds only for a QEMU from 8.2 on
   * @throws QMP_REFUSED, for example while another measures
   */
  async changedBytes(ms: number): Promise<number> {
    const seconds = ms / 1000;
    const time = Number.isInteger(seconds)
      ? { "calc-time": seconds }
      : { "calc-time": ms, "calc-time-unit": "millisecond" };
    await this.#qmp().execute("calc-dirty-rate", { ...time, "sample-pages": 2048 });
    await sleep(ms);
    for (let attempt = 0; attempt < 5000 / askEveryMs; attempt++) {
      const { status, "dirty-rate": mibPerSecond } = await this.#qmp().execute("query-dirty-rate");
      if (status === "measured") return (mibPerSecond ?? 0) * 2 ** 20 * seconds;
      await sleep(askEveryMs);
    }
    throw GodwitError.of("QMP_REFUSED", {
      ...{ command: "calc-dirty-rate", class: "GenericError" },
      reason: "it did not end within five seconds more",
    });
  }

  /** Tells the switches where the VM's addresses are now. */
  async announce(): Promise<void> {
    await this.#qmp().execute("announce-self", announcement(""));
  }

  /** QEMU has read them when it answers. */
  async #addCredentials(own: MigrationCredentials, endpoint: StreamEnd): Promise<void> {
    await this.#removeObject(credentials);
    await this.#lend(own, endpoint, async (dir) => {
      await this.#qmp().execute("object-add", {
        "qom-type": "tls-creds-x509",
        id: credentials,
        dir,
        endpoint,
        "verify-peer": true,
      });
    });
  }

  async #removeObject(id: string): Promise<void> {
    try {
      await this.#qmp().execute("object-del", { id });
    } catch (error) {
      if (!GodwitError.is(error, "QMP_REFUSED")) throw error; // it was not there
    }
  }
}

/** After so long all are sent. */
export const announcedWithinMs = 1000;

/** Six announcements within a second; the first at once. */
function announcement<P extends "announce-" | "">(
  prefix: P,
): Record<`${P}${"initial" | "max" | "rounds" | "step"}`, number> {
  return {
    [`${prefix}initial`]: 20,
    [`${prefix}max`]: 400,
    [`${prefix}rounds`]: 6,
    [`${prefix}step`]: 80,
  } as Record<`${P}${"initial" | "max" | "rounds" | "step"}`, number>;
}

/** A TCP port of this address and range that is free at the moment. Where none is, QEMU says so of the first. */
async function freePort(address: string, ports: PortRange): Promise<number> {
  const listener = await listenInRange(address, ports);
  if (listener === null) return ports.first;
  listener.server.close();
  await once(listener.server, "close");
  return listener.port;
}

/** QEMU's word for it in an address. */
const multipath = ",mptcp";

/** The address came from the other host: QEMU would take options after a comma, and run programs for other schemes. */
const tcpUri = (address: string, port: number): string =>
  `tcp:${hostAndPort(ipAddressSchema.parse(address), portSchema.parse(port))}`;
