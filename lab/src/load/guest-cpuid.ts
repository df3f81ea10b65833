/** What CPUID answers inside a guest of the lab, in the raw form of the program cpuid: read there, by the guest. */
import { fileURLToPath } from "node:url";
import { run } from "@godwit/system";
import { namespaceOf } from "../names.ts";

const reader = fileURLToPath(new URL("read-port.ts", import.meta.url));
const cpuidPort = 7001;

/** @param address the guest's. @throws PROGRAM_FAILED when it does not answer */
export async function guestCpuid(labId: string, address: string): Promise<string> {
  return await guestCpuidFrom(namespaceOf(labId, "client"), address);
}

/** As `guestCpuid`, from any namespace that reaches the guest. */
export async function guestCpuidFrom(namespace: string, address: string): Promise<string> {
  const { stdout } = await run(
    "ip",
    ["netns", "exec", namespace, process.execPath, reader, address, String(cpuidPort)],
    { what: `asking the guest at ${address} for its CPUID`, timeoutMs: 90_000 },
  );
  return stdout;
}
