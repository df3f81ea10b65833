/** What one VM uses: as its host last reported, and over the last hour. */
import { vmUsageSchema, type VmDetails, type VmView } from "@godwit/contract";
import { usageOver } from "@godwit/placement";
import type { Store } from "@godwit/store";

const hourMs = 3_600_000;

export async function usageOf(
  { vmUsers, loads }: Pick<Store, "vmUsers" | "loads">,
  { id, host }: Pick<VmView, "id" | "host">,
): Promise<Pick<VmDetails, "user" | "usage" | "lastHour">> {
  const [report, samples] = await Promise.all([
    vmUsers.of(host, id),
    loads.ofVm(host, id, new Date(Date.now() - hourMs)),
  ]);
  const usage = vmUsageSchema.safeParse(report);
  return {
    user: report?.user ?? null,
    usage: usage.success && report?.pid != null ? usage.data : null,
    lastHour: usageOver(samples),
  };
}
