/** A Redfish service as a program of its own, in the network namespace that it is started in; its parent is sent what is asked, and sets what it answers. */
import { RedfishService } from "./redfish-service.ts";

/** What a test tells it. */
export type ToBmc = { powered: "On" | "Off" } | { path: string; resource: unknown };
/** What it tells the test. */
export type FromBmc = { url: string; fingerprint: string } | { reset: string };

const tell = (message: FromBmc) => process.send?.(message);
const service = await RedfishService.start();
service.onReset = (reset) => tell({ reset });
process.on("message", (message: ToBmc) => {
  if ("powered" in message) service.powered(message.powered);
  else service.resources.set(message.path, message.resource);
});
process.on("disconnect", () => process.exit());
tell({ url: service.url, fingerprint: service.fingerprint });
