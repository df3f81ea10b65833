/**
 * What the installed QEMU can do, asked of QEMU itself; kept for the boot, since asking takes a second, and in memory for as
 * long as the program is the same file.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { GodwitError, qemuFactsSchema, type QemuFacts } from "@godwit/contract";
import { QmpSession } from "@godwit/qmp";
import { readFileOrNull, run, sleep, writeFileAtomic } from "@godwit/system";
import { z } from "zod";
import { probeKvm } from "./kvm-probe.ts";

export interface QemuInstallation {
  binary: string;
  firmwareFolder?: string;
}

const knownQemuSchema = z.object({
  facts: qemuFactsSchema,
  /** What each CPU model has switched on: names of QEMU's properties. */
  modelFeatures: z.record(z.string(), z.array(z.string())),
});
export type KnownQemu = z.infer<typeof knownQemuSchema>;

/** Counts what is asked for: what an earlier version kept lacks something. */
const asked = "4";

const switchedOn = (props: Readonly<Record<string, unknown>> = {}): string[] =>
  Object.entries(props)
    .filter(([, on]) => on === true)
    .map(([name]) => name)
    .sort();

/** Of one program, for those who ask again and again: a process only to ask QEMU for its version takes a tenth of a second. */
export class CachedQemuFacts {
  readonly #read: () => Promise<KnownQemu>;
  readonly #binary: string;
  #kept: { file: string; known: Promise<KnownQemu> } | null = null;

  /** @param binary a path, or a name that is looked for as the system does */
  constructor(binary: string, read: () => Promise<KnownQemu>) {
    this.#binary = binary;
    this.#read = read;
  }

  /** @throws what reading them throws */
  async now(): Promise<KnownQemu> {
    const file = await fileOf(this.#binary);
    if (file === null) return await this.#read();
    if (this.#kept?.file !== file) {
      const known = this.#read();
      const kept = { file, known };
      this.#kept = kept;
      known.catch(() => {
        if (this.#kept === kept) this.#kept = null;
      });
    }
    return await this.#kept.known;
  }
}

/** Which file it is, and which content; null where there is none. An upgrade puts another one in its place. */
async function fileOf(binary: string): Promise<string | null> {
  const folders = binary.includes("/") ? [""] : (process.env.PATH ?? "").split(delimiter);
  for (const folder of folders) {
    const found = await stat(join(folder, binary), { bigint: true }).catch(() => null);
    if (found?.isFile() !== true) continue;
    const { dev, ino, size, mtimeNs, ctimeNs } = found;
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  }
  return null;
}

/**
 * The facts, from the cache of this boot where they are there.
 * @throws PROGRAM_MISSING when QEMU is not installed
 */
export async function qemuFacts(installation: QemuInstallation, cacheFolder: string): Promise<KnownQemu> {
  const version = await qemuVersion(installation.binary);
  const bootId = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  // Its module can come and go without a boot.
  const hasKvm = existsSync("/dev/kvm");
  const key = createHash("sha256")
    .update([bootId, installation.binary, version, asked, String(hasKvm)].join("\n"))
    .digest("hex")
    .slice(0, 16);
  const cache = join(cacheFolder, `qemu-${key}.json`);
  const known = await readKnown(cache);
  if (known !== null) return known;
  const facts = await askQemu(installation, version);
  // Without a cache QEMU is asked again next time.
  await mkdir(cacheFolder, { recursive: true })
    .then(() => writeFileAtomic(cache, JSON.stringify(facts)))
    .catch(() => undefined);
  return facts;
}

/** Null also where the cache cannot be read, or is damaged. */
async function readKnown(path: string): Promise<KnownQemu | null> {
  try {
    const known = await readFileOrNull(path);
    return known === null ? null : (knownQemuSchema.safeParse(JSON.parse(known)).data ?? null);
  } catch {
    return null;
  }
}

async function qemuVersion(binary: string): Promise<string> {
  const { stdout } = await run(binary, ["--version"], { what: "asking QEMU for its version" });
  const version = /version (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version === undefined) {
    throw GodwitError.of("PROGRAM_FAILED", { program: binary, what: "telling its version", output: stdout });
  }
  return version;
}

async function askQemu(installation: QemuInstallation, version: string): Promise<KnownQemu> {
  const { binary, firmwareFolder } = installation;
  const probe = await probeKvm(binary, firmwareFolder);
  const accelerator = probe.works ? "kvm" : "tcg";
  const folder = await mkdtemp(join(tmpdir(), "godwit-qemu-facts-"));
  const socket = join(folder, "qmp.sock");
  const child = spawn(
    binary,
    [
      ...(firmwareFolder === undefined ? [] : ["-L", firmwareFolder]),
      ...["-no-user-config", "-nodefaults", "-display", "none", "-S"],
      // A real machine type: with `none` QEMU does not tell which CPU features are unavailable.
      ...["-machine", "q35", "-accel", accelerator, "-m", "16"],
      ...["-qmp", `unix:${socket},server=on,wait=off`],
    ],
    { stdio: "ignore" },
  );
  try {
    const qmp = await connectWhenReady(socket, () => child.exitCode !== null);
    const machines = await qmp.execute("query-machines");
    const models = await qmp.execute("query-cpu-definitions");
    const expansion = await qmp.execute("query-cpu-model-expansion", {
      type: "full",
      model: { name: "max" },
    });
    const modelFeatures: KnownQemu["modelFeatures"] = {};
    for (const { name } of models) {
      const { model } = await qmp.execute("query-cpu-model-expansion", { type: "full", model: { name } });
      modelFeatures[name] = switchedOn(model.props);
    }
    const schema = await qmp.execute("query-qmp-schema");
    qmp.close();
    const facts = {
      binary,
      version,
      accelerator,
      acceleratorReason: probe.reason,
      machines: machines.map(({ name }) => name).sort(),
      cpuModels: models.map((model) => ({
        name: model.name,
        unavailableFeatures: [...new Set(model["unavailable-features"] ?? [])].sort(),
      })),
      availableFeatures: switchedOn(expansion.model.props),
      postcopyRecovers: hasWord(schema, recoverSetup),
      multipath: hasMember(schema, "mptcp"),
    } satisfies QemuFacts;
    return { facts, modelFeatures };
  } finally {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * A state of QEMU's migration: whose QEMU has it can try again when a post-copy's new stream breaks too, and tells that it
 * waits for the other half (QEMU's "migration/postcopy: Add postcopy-recover-setup phase").
 */
const recoverSetup = "postcopy-recover-setup";

/** Whether one of the schema's enumerations has a word. */
const hasWord = (schema: readonly Readonly<Record<string, unknown>>[], word: string): boolean =>
  schema.some(
    (entity) =>
      entity["meta-type"] === "enum" && Array.isArray(entity.values) && entity.values.includes(word),
  );

/** Whether one of the schema's objects has a member of this name. */
const hasMember = (schema: readonly Readonly<Record<string, unknown>>[], name: string): boolean =>
  schema.some(
    ({ members }) =>
      Array.isArray(members) &&
      members.some((member: unknown) => (member as { name?: unknown }).name === name),
  );

/**
 * QEMU creates its socket some time after it is started, and no event tells when: polling is the only way. It greets once
 * it has made its machine, which takes as long as its memory and the storage take: who has connected by then waits.
 */
export async function connectWhenReady(
  socket: string,
  gone: () => boolean | Promise<boolean>,
  limitMs = 15_000,
): Promise<QmpSession> {
  const until = performance.now() + limitMs;
  for (;;) {
    try {
      return await QmpSession.connect(socket, { timeoutMs: Math.max(1, until - performance.now()) });
    } catch (error) {
      if ((await gone()) || performance.now() > until) throw error;
    }
    await sleep(4);
  }
}
