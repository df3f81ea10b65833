/**
 * A host's BMC by IPMI 2.0 over LAN, asked by `ipmitool` on the server's machine. The password goes there in the environment, which only
 * root and the server's user can read; arguments can be read by everybody.
 */
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";
import type { Power, PowerControl } from "./power-controller.ts";

export interface IpmiController {
  address: string;
  port: number;
  user: string;
  password: string;
  /** Null: the best that the BMC offers when it is asked, which some do not answer. */
  cipherSuite: number | null;
}

const timeoutMs = 30_000;

export function ipmi(controller: IpmiController): PowerControl {
  const power = async () => powerOf(await ask(controller, "status"));
  /** A BMC refuses what is so already. */
  const change = async (wanted: Power, how: "on" | "soft" | "off") => {
    if ((await power()) !== wanted) await ask(controller, how);
  };
  return {
    power,
    turnOn: () => change("on", "on"),
    shutDown: () => change("off", "soft"),
    cut: () => change("off", "off"),
  };
}

/** `chassis power status` says `Chassis Power is on`. */
function powerOf(text: string): Power {
  const said = /^Chassis Power is (on|off)$/m.exec(text)?.[1];
  if (said === "on" || said === "off") return said;
  throw new Error("ipmitool does not say whether the host is on");
}

async function ask(controller: IpmiController, what: string): Promise<string> {
  const { address, port, user, password, cipherSuite } = controller;
  const suite = cipherSuite === null ? [] : ["-C", String(cipherSuite)];
  const to = ["-I", "lanplus", ...suite, "-H", address, "-p", String(port), "-U", user, "-E"];
  try {
    const { stdout } = await run("ipmitool", [...to, "chassis", "power", what], {
      what: `asking a BMC for power ${what}`,
      timeoutMs,
      env: { IPMI_PASSWORD: password, IPMITOOL_PASSWORD: password },
    });
    return stdout;
  } catch (error) {
    if (!GodwitError.is(error, "PROGRAM_FAILED")) throw error;
    const { output } = error.problem.details as { output: string };
    throw new Error(
      `ipmitool says: ${output
        .replace(/[^\x20-\x7e]/g, "?")
        .slice(0, 200)
        .replace(/\.$/, "")}`,
      {
        cause: error,
      },
    );
  }
}
