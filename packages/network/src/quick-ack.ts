/**
 * Quick acknowledgement (`quickack`) on the route of the migration network. QEMU's last small segments otherwise wait
 * for the kernel's delayed acknowledgement, some 40 ms, while the guest stands still; the kernel's switch
 * for that is a property of the route.
 */
import { run } from "@godwit/system";
import { z } from "zod";

const routesSchema = z.array(
  z.object({
    dst: z.string(),
    dev: z.string(),
    prefsrc: z.string().optional(),
    metric: z.number().optional(),
    /** `quickack` is one of its metrics. */
    metrics: z.array(z.record(z.string(), z.unknown())).optional(),
  }),
);

/** Sets it on the connected route of this address; one that has it already is left alone. @throws PROGRAM_FAILED */
export async function enableQuickAck(address: string): Promise<void> {
  const family = address.includes(":") ? "-6" : "-4";
  const { stdout } = await run("ip", [family, "-json", "route", "show", "proto", "kernel", "scope", "link"], {
    what: "looking at the migration network's route",
  });
  const route = routesSchema.parse(JSON.parse(stdout)).find(({ prefsrc }) => prefsrc === address);
  if (route === undefined || JSON.stringify(route.metrics ?? []).includes("quickack")) return;
  const metric = route.metric === undefined ? [] : ["metric", String(route.metric)];
  await run(
    "ip",
    [
      ...[family, "route", "change", route.dst, "dev", route.dev, "proto", "kernel", "scope", "link"],
      ...["src", address, ...metric, "quickack", "1"],
    ],
    { what: `setting quick acknowledgement on ${route.dst}` },
  );
}
