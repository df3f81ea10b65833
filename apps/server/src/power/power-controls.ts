/** The power controllers of hosts, as they are set now: whoever changes one restarts nothing. What they throw becomes one error. */
import { GodwitError, type PowerController, type PowerSettings } from "@godwit/contract";
import { plainFingerprint } from "@godwit/http";
import type { HostPowerRow, Store } from "@godwit/store";
import { ipmi } from "./ipmi.ts";
import type { Power, PowerControl } from "./power-controller.ts";
import { asksBmc, redfish } from "./redfish.ts";
import type { Seal } from "./sealed.ts";
import { wakeOnLan } from "./wake-on-lan.ts";

const ipmiPort = 623;
const everybody = "255.255.255.255";

export class PowerControls {
  readonly #store: Store;
  readonly #seal: Seal;

  constructor(store: Store, seal: Seal) {
    this.#store = store;
    this.#seal = seal;
  }

  /** Its controller is asked first: one that does not answer is not kept. @throws HOST_POWER_FAILED, PROGRAM_MISSING */
  async set(host: string, settings: PowerSettings): Promise<void> {
    const { controller, password, wakeSeconds, offSeconds } = settings;
    await told(host, controller, () => controlOf(controller, password ?? "").power());
    const sealedPassword = password === undefined ? null : this.#seal.close(password, purposeOf(host));
    await this.#store.powers.set({ host, controller, sealedPassword, wakeSeconds, offSeconds });
  }

  /** Null: it cannot tell. @throws HOST_POWER_UNSET, HOST_POWER_FAILED, PROGRAM_MISSING */
  async power(host: string): Promise<Power | null> {
    return await this.#ask(host, (control) => control.power());
  }

  /** @throws HOST_POWER_UNSET, HOST_POWER_FAILED, PROGRAM_MISSING */
  async turnOn(host: string): Promise<void> {
    await this.#ask(host, (control) => control.turnOn());
  }

  /** @returns false: its agent has to @throws HOST_POWER_UNSET, HOST_POWER_FAILED, PROGRAM_MISSING */
  async shutDown(host: string): Promise<boolean> {
    return await this.#ask(host, async ({ shutDown }) => {
      await shutDown?.();
      return shutDown !== null;
    });
  }

  /** @throws HOST_POWER_UNSET, HOST_POWER_FAILED, HOST_POWER_CUT_UNSUPPORTED, PROGRAM_MISSING */
  async cut(host: string): Promise<void> {
    const { kind } = await this.#store.powers.show(host);
    if (!cuts(kind)) throw GodwitError.of("HOST_POWER_CUT_UNSUPPORTED", { host, kind });
    await this.#ask(host, async ({ cut }) => {
      await cut?.();
    });
  }

  async #ask<T>(host: string, question: (control: PowerControl) => Promise<T>): Promise<T> {
    const row = await this.#store.powers.show(host);
    const { controller } = row;
    return await told(host, controller, () => question(controlOf(controller, this.#passwordOf(row))));
  }

  #passwordOf({ host, sealedPassword }: HostPowerRow): string {
    if (sealedPassword === null) return "";
    const password = this.#seal.open(sealedPassword, purposeOf(host));
    if (password === null)
      throw new Error("its password cannot be read with the key of this server; set the controller again");
    return password;
  }
}

/** Whether a controller of this kind cuts the power, and tells whether it is off. */
export const cuts = (kind: PowerController["kind"]): boolean => kind !== "wol";

const purposeOf = (host: string): string => `host-power:${host}`;

function controlOf(controller: PowerController, password: string): PowerControl {
  switch (controller.kind) {
    case "redfish": {
      const { url, user, fingerprint, system } = controller;
      const pin = fingerprint === undefined ? null : plainFingerprint(fingerprint);
      return redfish(asksBmc({ url, user, password, fingerprint: pin }), system ?? null);
    }
    case "ipmi": {
      const { address, user, port = ipmiPort, cipherSuite = null } = controller;
      return ipmi({ address, port, user, password, cipherSuite });
    }
    case "wol":
      return wakeOnLan(controller.mac, controller.broadcast ?? everybody);
  }
}

async function told<T>(host: string, { kind }: PowerController, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (GodwitError.is(error)) throw error;
    const reason = (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
    throw GodwitError.of("HOST_POWER_FAILED", { host, kind, reason }, { cause: error });
  }
}
