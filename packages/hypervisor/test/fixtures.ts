/** A VM without an operating system, and the certificates of two hosts, in a folder of the test's own. */
import { execFileSync } from "node:child_process";
import { chmod, chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vmSchema } from "@godwit/contract";
import { createAuthority, createKeyAndRequest, issueCertificate, type KeyAndCertificate } from "@godwit/pki";
import { ensureUser } from "@godwit/system";
import { Hypervisor, vmUser, type LaunchSpec, type MigrationCredentials } from "../src/index.ts";

export const user = "godwit-qemu";
const vmId = "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a11";
export const ownUser = vmUser(vmId, { first: 2_010_000_000, count: 100_000_000 });

const capabilities = {
  "return-path": true,
  "late-block-activate": true,
  events: true,
  "pause-before-switchover": true,
} as const;
export const destinationSettings = { capabilities, parameters: {} };

/** That incoming migrations listen on. */
export const ports = { first: 49_152, last: 49_215 };

/** @param downtimeLimitMs below this expected pause QEMU stops the guest by itself */
export const sourceSettings = (downtimeLimitMs: number, bandwidthBytesPerSecond = 2 ** 40) => ({
  capabilities,
  parameters: { "max-bandwidth": bandwidthBytesPerSecond, "downtime-limit": downtimeLimitMs },
});

export class Fixture implements AsyncDisposable {
  readonly folder: string;
  readonly diskPath: string;
  readonly #binary: string;
  readonly #authority: KeyAndCertificate;
  #hasOwnUser = false;

  private constructor(folder: string, binary: string, authority: KeyAndCertificate) {
    this.folder = folder;
    this.#binary = binary;
    this.diskPath = join(folder, "disk.qcow2");
    this.#authority = authority;
  }

  /** @param binary the QEMU of both hosts */
  static async make(binary: string): Promise<Fixture> {
    await ensureUser(user);
    const folder = await mkdtemp(join(tmpdir(), "godwit-hv-"));
    await chmod(folder, 0o755);
    const fixture = new Fixture(folder, binary, await createAuthority("godwit test"));
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", fixture.diskPath, "16M"]);
    execFileSync("chown", [`${user}:`, fixture.diskPath]);
    return fixture;
  }

  /** From now on the VM runs as a user of its own. */
  async giveOwnUser(): Promise<void> {
    await chown(this.diskPath, ownUser.uid, ownUser.gid);
    await chmod(this.diskPath, 0o600);
    this.#hasOwnUser = true;
  }

  async hypervisor(host: string): Promise<Hypervisor> {
    return await Hypervisor.open({
      host,
      binary: this.#binary,
      user,
      runFolder: join(this.folder, `run-${host}`),
      cacheFolder: join(this.folder, "cache"),
    });
  }

  /** Of a host, for its migration streams. */
  async credentials(host: string, dnsNames: string[] = []): Promise<MigrationCredentials> {
    const { keyPem, requestPem } = await createKeyAndRequest(host);
    const certificatePem = await issueCertificate({
      authority: this.#authority,
      requestPem,
      unit: "migration",
      commonName: host,
      dnsNames,
      validDays: 1,
    });
    return { caPem: this.#authority.certificatePem, certificatePem, keyPem };
  }

  spec(incoming: boolean): LaunchSpec {
    const vm = vmSchema.parse({
      version: 1,
      id: vmId,
      name: "probe-vm",
      datastore: "shared",
      memoryMib: 64,
      vcpus: 1,
      cpu: { model: "qemu64-v1" },
      machine: "pc-q35-7.2",
      disks: [{ name: "data", path: "probe-vm/data.qcow2", format: "qcow2" }],
      nics: [],
    });
    return {
      vm,
      accelerator: "tcg",
      diskPaths: { data: this.diskPath },
      luns: {},
      mediumPaths: {},
      kernelPath: null,
      initrdPath: null,
      taps: [],
      incoming,
      ...(this.#hasOwnUser ? { user: { ...ownUser, sharedBecause: null } } : {}),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
