/**
 * An iSCSI target as a datastore: its LUNs are disks of VMs as they are, raw, and made and deleted by whoever administers the
 * target. QEMU itself is the client. The target's name is unique in the world, so it says which storage it is.
 */
import { createHash } from "node:crypto";
import { connect } from "node:net";
import {
  GodwitError,
  initiatorOf,
  lunOf,
  parseJson,
  portalText,
  sourceText,
  type DatastoreId,
  type IscsiSource,
} from "@godwit/contract";
import { lendSecret, run, type UserIds } from "@godwit/system";
import { z } from "zod";

/** What QEMU opens. */
export interface Lun {
  /** Address and port. */
  portal: string;
  target: string;
  lun: number;
  /** How this host names itself to the target. */
  initiator: string;
  /** By CHAP. */
  chapUser?: string;
}

export interface LunToProbe {
  vm: string;
  disk: string;
  path: string;
  /** That QEMU runs as. */
  user: UserIds;
}

const connectLimitMs = 3000;
const probeLimitMs = 15_000;
const infoSchema = z.object({ "virtual-size": z.number().min(0) });

export class LunStore {
  readonly name: string;
  readonly source: IscsiSource;
  readonly id: DatastoreId;
  readonly #host: string;
  readonly #chapSecret: string | undefined;

  constructor(name: string, source: IscsiSource, host: string, chapSecret?: string) {
    this.#chapSecret = chapSecret;
    this.name = name;
    this.source = source;
    this.id = idOf(source.target);
    this.#host = host;
  }

  /** That its portal answers. @throws DATASTORE_UNAVAILABLE */
  async verify(): Promise<void> {
    const { portal, port = 3260 } = this.source;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const socket = connect({ host: portal, port, timeout: connectLimitMs });
    socket.once("connect", () => {
      resolve(undefined);
    });
    socket.once("timeout", () => {
      reject(new Error("it does not answer"));
    });
    socket.on("error", reject);
    try {
      await promise;
    } catch (error) {
      const reason = `${portalText(this.source)} cannot be reached: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`;
      throw this.#unavailable(reason, error);
    } finally {
      socket.destroy();
    }
  }

  /** @throws DISK_NOT_OWN for a path that is no LUN */
  lun({ vm, disk, path }: { vm: string; disk: string; path: string }): Lun {
    const lun = lunOf(path);
    if (lun === null) {
      const reason = `datastore ${this.name} has LUNs, which are named lun-0, lun-1, and so on`;
      throw GodwitError.of("DISK_NOT_OWN", { vm, disk, path, reason });
    }
    const { target, chap } = this.source;
    return {
      ...{ portal: portalText(this.source), target, lun, initiator: initiatorOf(this.#host) },
      ...(chap === undefined ? {} : { chapUser: chap.user }),
    };
  }

  /** Logs in as QEMU will. @returns its size. @throws DISK_NOT_OWN, IMAGE_UNREADABLE, PROGRAM_MISSING */
  async probe(asked: LunToProbe): Promise<number> {
    const { chap } = this.source;
    if (chap === undefined) return await this.#probe(asked, []);
    const secret = this.#chapSecret;
    if (secret === undefined) {
      const { vm, disk } = asked;
      const reason = "the CHAP secret of its target is not known on this host";
      throw GodwitError.of("IMAGE_UNREADABLE", { vm, disk, path: sourceText(this.source), reason });
    }
    return await lendSecret(secret, asked.user, async (file) => {
      return await this.#probe(asked, ["--object", `secret,id=chap,file=${file}`]);
    });
  }

  /** @param objects that qemu-img has */
  async #probe({ vm, disk, path, user }: LunToProbe, objects: readonly string[]): Promise<number> {
    const { portal, target, lun, initiator, chapUser } = this.lun({ vm, disk, path });
    const place = `${sourceText(this.source)}/${String(lun)}`;
    const options = [
      ...["driver=raw", "file.driver=iscsi", "file.transport=tcp", `file.portal=${portal}`],
      ...[`file.target=${target}`, `file.lun=${String(lun)}`, `file.initiator-name=${initiator}`],
      // A comma in a value is written twice.
      ...(chapUser === undefined
        ? []
        : [`file.user=${chapUser.replaceAll(",", ",,")}`, "file.password-secret=chap"]),
    ].join(",");
    const withoutRights = [
      ...["setpriv", "--reuid", String(user.uid), "--regid", String(user.gid), "--clear-groups"],
      ...["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"],
    ];
    const [program = "", ...args] = [
      ...withoutRights,
      ...["qemu-img", "info", "--output=json", "--force-share", ...objects, "--image-opts", options],
    ];
    try {
      const words = { what: `looking at ${place}`, timeoutMs: probeLimitMs };
      const { stdout } = await run(program, args, words);
      const info = infoSchema.safeParse(parseJson(stdout));
      if (info.success) return info.data["virtual-size"];
      throw new Error("qemu-img's answer is broken");
    } catch (error) {
      if (GodwitError.is(error, "PROGRAM_MISSING")) throw error;
      const said = GodwitError.is(error)
        ? String(error.problem.details.output)
        : "qemu-img's answer is broken";
      const reason = reasonIn(said);
      throw GodwitError.of("IMAGE_UNREADABLE", { vm, disk, path: place, reason }, { cause: error });
    }
  }

  #unavailable(reason: string, cause: unknown): GodwitError {
    return GodwitError.of(
      "DATASTORE_UNAVAILABLE",
      { datastore: this.name, host: this.#host, reason },
      { cause },
    );
  }
}

function reasonIn(said: string): string {
  if (/Unknown (?:driver|protocol) 'iscsi'|Unknown block driver/.test(said))
    return "this host's QEMU has no iSCSI client (apt install qemu-block-extra)";
  if (/Authentication failure|authentication failed|AUTH_FAILED/i.test(said))
    return "its target refuses the CHAP name or secret (or wants one: godwit datastore add --help)";
  return said
    .replace(/^.*?: (?=iSCSI|Failed)/s, "")
    .replace(/\.$/, "")
    .trim();
}

/** The same on every host; of the form of a version 8 UUID, see RFC 9562. */
function idOf(target: string): DatastoreId {
  const hex = createHash("sha256").update(`iscsi ${target}`).digest("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`];
  return [...parts, hex.slice(20, 32)].join("-") as DatastoreId;
}
