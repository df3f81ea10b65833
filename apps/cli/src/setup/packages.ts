/** Debian packages that Godwit needs on a machine, and their installation. */
import { readFile, writeFile } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";
import { readFileOrNull, run } from "@godwit/system";

/** What is installed, and for what. */
export const requiredPackages = [
  "qemu-system-x86", // the engine
  "qemu-utils", // images
  "ovmf", // UEFI
  "swtpm", // TPMs of VMs
  "xorriso", // seeds of VMs
  "iproute2", // bridges, taps, namespaces
  "nftables", // what VMs may send
  "iputils-ping", // the lab's probe
  "sanlock", // leases on shared datastores
  "e2fsprogs", // the lab guest's disk
  "cpio", // the lab guest's root
  "xz-utils", // its kernel modules, where they are compressed
  "postgresql", // the server's database
] as const;

const clusterSwitch = "/etc/postgresql-common/createcluster.conf";

/** Those of the list that are not installed. @throws USAGE where there is no dpkg */
export async function missingPackages(): Promise<string[]> {
  const { stdout } = await run(
    "dpkg-query",
    ["--show", "--showformat=${Package} ${db:Status-Abbrev}\n", ...requiredPackages],
    { what: "looking for installed packages", okCodes: [0, 1] },
  ).catch((error: unknown) => {
    if (!GodwitError.is(error, "PROGRAM_MISSING")) throw error;
    throw GodwitError.of("USAGE", {
      what: "This machine has no dpkg: Godwit's setup knows Debian and its relatives.",
      hint: `Install by yourself: QEMU, qemu-img, iproute2, PostgreSQL (${requiredPackages.join(", ")} on Debian).`,
    });
  });
  const installed = new Set(
    stdout
      .split("\n")
      .filter((line) => line.includes(" ii"))
      .map((line) => line.split(" ")[0]),
  );
  return requiredPackages.filter((name) => !installed.has(name));
}

/** @throws PROGRAM_FAILED with apt's own words */
export async function installPackages(
  names: readonly string[],
  onStep: (text: string) => void,
): Promise<void> {
  onStep("reading the package lists");
  await apt(["update", "-q"], "reading the package lists");
  const withDatabase = names.includes("postgresql");
  if (withDatabase)
    await apt(
      ["install", "-q", "-y", "--no-install-recommends", "postgresql-common"],
      "installing postgresql-common",
    );
  onStep(`installing ${names.join(", ")}`);
  const install = async () => {
    await apt(["install", "-q", "-y", "--no-install-recommends", ...names], `installing ${names.join(", ")}`);
  };
  await (withDatabase ? withoutDefaultCluster(install) : install());
}

/** Debian makes and starts a database of its own when PostgreSQL is installed; Godwit has one in its own folder. */
async function withoutDefaultCluster(install: () => Promise<void>): Promise<void> {
  const before = await readFileOrNull(clusterSwitch);
  if (before === null) {
    await install();
    return;
  }
  await writeFile(clusterSwitch, `${await readFile(clusterSwitch, "utf8")}\ncreate_main_cluster = false\n`);
  try {
    await install();
  } finally {
    await writeFile(clusterSwitch, before);
  }
}

async function apt(args: readonly string[], what: string): Promise<void> {
  await run("apt-get", args, { what, timeoutMs: 1_200_000, env: { DEBIAN_FRONTEND: "noninteractive" } });
}
