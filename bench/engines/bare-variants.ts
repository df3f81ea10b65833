/** The ways in which the bare driver sets its QEMUs: one engine each. */

/** What both ends are set to. */
export interface BareSettings {
  capabilities: readonly string[];
  parameters: Readonly<Record<string, unknown>>;
  isEncrypted?: boolean;
  /** What the source is set to while it copies; absent: nothing. */
  course?: () => Course;
}

/** Called with what is left each time that it looks. @returns parameters to set, or null */
type Course = (remainingBytes: number) => Readonly<Record<string, unknown>> | null;

/**
 * As Proxmox VE does, by its public source (qemu-server, `PVE::QemuMigrate`): auto-converge, 100 ms at first, doubled after six looks, a
 * second apart, in which no less was left. Its stream goes as it does with `--migration_type insecure`.
 */
function proxmoxCourse(): Course {
  const everyMs = 1000;
  let [limitMs, still, last, lookedAt] = [100, 0, Number.POSITIVE_INFINITY, performance.now()];
  return (remainingBytes) => {
    if (performance.now() - lookedAt < everyMs) return null;
    lookedAt = performance.now();
    still = remainingBytes >= last ? still + 1 : still;
    last = remainingBytes;
    if (still <= 5) return null;
    still = 0;
    limitMs = Math.min(2_000_000, limitMs * 2);
    return { "downtime-limit": limitMs };
  };
}

export const bareVariants: Readonly<Record<string, BareSettings>> = {
  "qmp-bare": { capabilities: [], parameters: {} },
  "qmp-tls": { capabilities: [], parameters: {}, isEncrypted: true },
  "qmp-multifd-tls": { capabilities: ["multifd"], parameters: { "multifd-channels": 2 }, isEncrypted: true },
  "qmp-multifd": { capabilities: ["multifd"], parameters: { "multifd-channels": 2 } },
  "qmp-multifd-zstd": {
    capabilities: ["multifd"],
    parameters: { "multifd-channels": 2, "multifd-compression": "zstd" },
  },
  "proxmox-like": {
    capabilities: ["auto-converge"],
    parameters: { "downtime-limit": 100 },
    course: proxmoxCourse,
  },
  "qmp-xbzrle": { capabilities: ["xbzrle"], parameters: { "xbzrle-cache-size": 128 * 2 ** 20 } },
};
