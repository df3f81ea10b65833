/**
 * A Redfish service of the standard's shape (DSP0266), over HTTPS with a certificate of its own: what it tells can be changed, and its system is
 * powered on and off by ComputerSystem.Reset. An orderly shutdown takes until `powered` is called.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { createAuthority } from "@godwit/pki";
import { X509Certificate } from "node:crypto";

export class RedfishService implements AsyncDisposable {
  /** By path; a number is the status of an answer without words. */
  readonly resources: Map<string, unknown>;
  readonly asked: string[] = [];
  /** Types of reset that were accepted. */
  readonly resets: string[] = [];
  onReset: (type: string) => void = () => undefined;
  readonly fingerprint: string;
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server, fingerprint: string, resources: Map<string, unknown>) {
    this.#server = server;
    this.fingerprint = fingerprint;
    this.resources = resources;
    this.url = `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  }

  static async start(user = "godwit", password = "s3cret", address = "127.0.0.1"): Promise<RedfishService> {
    const { keyPem, certificatePem } = await createAuthority("bmc");
    const resources = new Map(Object.entries(wellMachine()));
    const wanted = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    const asked: string[] = [];
    const server = createServer({ key: keyPem, cert: certificatePem }, (request, response) => {
      const path = request.url ?? "";
      asked.push(path);
      if (request.method === "POST" && request.headers.authorization === wanted && path === resetPath) {
        void bodyOf(request).then((body) => {
          const problem = service.#reset(body);
          response.writeHead(problem === null ? 204 : 400, { "content-type": "application/json" });
          response.end(problem === null ? undefined : JSON.stringify({ error: { message: problem } }));
        });
        return;
      }
      const resource = request.headers.authorization === wanted ? (resources.get(path) ?? 404) : 401;
      if (typeof resource === "number") {
        response.writeHead(resource, { location: "https://192.0.2.1/" }).end();
        return;
      }
      response.writeHead(200, { "content-type": "application/json" });
      response.end(typeof resource === "string" ? resource : JSON.stringify(resource));
    });
    server.listen(0, address);
    await once(server, "listening");
    const { fingerprint256 } = new X509Certificate(certificatePem);
    const service: RedfishService = new RedfishService(server, fingerprint256, resources);
    return Object.assign(service, { asked });
  }

  get system(): Record<string, unknown> {
    return this.resources.get(systemPath) as Record<string, unknown>;
  }

  /** It is on or off from now on. */
  powered(state: "On" | "Off"): void {
    this.resources.set(systemPath, { ...this.system, PowerState: state });
  }

  /** @returns why it is refused */
  #reset(body: string): string | null {
    const { ResetType: type } = JSON.parse(body) as { ResetType?: string };
    const { Actions, PowerState: state } = this.system as {
      Actions: { "#ComputerSystem.Reset": { "ResetType@Redfish.AllowableValues": string[] } };
      PowerState: string;
    };
    const allowed = Actions["#ComputerSystem.Reset"]["ResetType@Redfish.AllowableValues"];
    if (type === undefined || !allowed.includes(type)) return `The value ${String(type)} is not allowed.`;
    if ((type === "On") === (state === "On")) return `The system is ${state} already.`;
    this.resets.push(type);
    if (type === "On") this.powered("On");
    if (type === "ForceOff") this.powered("Off");
    this.onReset(type);
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

const systemPath = "/redfish/v1/Systems/1";
const resetPath = `${systemPath}/Actions/ComputerSystem.Reset`;

async function bodyOf(request: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const to = (path: string) => ({ "@odata.id": path });
const collection = (...paths: string[]) => ({ "Members@odata.count": paths.length, Members: paths.map(to) });
const ok = { State: "Enabled", Health: "OK" };

/** As Dell's and HPE's firmware tells it, shortened. */
function wellMachine(): Record<string, unknown> {
  const chassis = "/redfish/v1/Chassis/1";
  const system = systemPath;
  return {
    "/redfish/v1/": {
      RedfishVersion: "1.6.0",
      Chassis: to("/redfish/v1/Chassis"),
      Systems: to("/redfish/v1/Systems"),
    },
    "/redfish/v1/Chassis": collection(chassis),
    [chassis]: { Id: "1", Thermal: to(`${chassis}/Thermal`), Power: to(`${chassis}/Power`) },
    [`${chassis}/Thermal`]: {
      Temperatures: [
        { MemberId: "0", Name: "CPU1 Temp", ReadingCelsius: 45, Status: ok },
        {
          MemberId: "1",
          Name: "CPU2 Temp",
          ReadingCelsius: null,
          Status: { State: "Absent", Health: "Critical" },
        },
      ],
      Fans: [{ MemberId: "0", Name: "Fan1A", Reading: 5400, ReadingUnits: "RPM", Status: ok }],
    },
    [`${chassis}/Power`]: {
      PowerSupplies: [
        { MemberId: "0", Name: "PS1", Status: ok },
        { MemberId: "1", Name: "PS2", Status: ok },
      ],
      Voltages: [{ MemberId: "0", Name: "12V", ReadingVolts: 12.1, Status: ok }],
      Redundancy: [{ MemberId: "0", Name: "PS redundancy", Status: ok }],
    },
    "/redfish/v1/Systems": collection(system),
    [system]: {
      Id: "1",
      PowerState: "On",
      Actions: {
        "#ComputerSystem.Reset": {
          target: resetPath,
          "ResetType@Redfish.AllowableValues": ["On", "GracefulShutdown", "ForceOff", "ForceRestart"],
        },
      },
      MemorySummary: { Status: ok },
      ProcessorSummary: { Status: ok },
      Storage: to(`${system}/Storage`),
    },
    [`${system}/Storage`]: collection(`${system}/Storage/1`),
    [`${system}/Storage/1`]: { Drives: [to(`${system}/Storage/1/Drives/0`)] },
    [`${system}/Storage/1/Drives/0`]: { Id: "0", Name: "Disk 0", Status: ok },
  };
}
