/**
 * A host's BMC by Redfish (DMTF DSP0266): `PowerState` of its ComputerSystem is read, and `ComputerSystem.Reset` asked for with a
 * type of reset that the BMC allows. Nothing is asked for that is so already. What is not understood is an error, never a guess.
 */
import { askPinned, type JsonAnswer, type PinnedService } from "@godwit/http";
import { z } from "zod";
import type { Power, PowerControl } from "./power-controller.ts";

export type AskBmc = (path: string, body?: object) => Promise<JsonAnswer>;

const path = z.string().max(1000);
const link = z.looseObject({ "@odata.id": path });
const root = z.looseObject({ Systems: link });
const members = z.looseObject({ Members: z.array(link).max(1000) });
const words = z.array(z.string().max(100)).max(100);
const reset = z.looseObject({
  target: path,
  "ResetType@Redfish.AllowableValues": words.optional(),
  "@Redfish.ActionInfo": path.optional(),
});
const computerSystem = z.looseObject({
  PowerState: z.string().max(100).nullish(),
  Actions: z.looseObject({ "#ComputerSystem.Reset": reset.optional() }).nullish(),
});
const actionInfo = z.looseObject({
  Parameters: z
    .array(z.looseObject({ Name: z.string().max(100), AllowableValues: words.nullish() }))
    .max(100),
});
const refusal = z.looseObject({
  error: z.looseObject({
    message: z.string().nullish(),
    "@Message.ExtendedInfo": z
      .array(z.looseObject({ Message: z.string().nullish() }))
      .max(100)
      .nullish(),
  }),
});

/** In order of preference. PushPowerButton asks the operating system, as a short press does. */
const types = {
  on: ["On", "ForceOn"],
  shutDown: ["GracefulShutdown", "PushPowerButton"],
  cut: ["ForceOff"],
} as const;

/** What is on its way is where it comes from. */
const powers: Readonly<Record<string, Power>> = {
  On: "on",
  PoweringOff: "on",
  Paused: "on",
  Off: "off",
  PoweringOn: "off",
};

export const asksBmc =
  (service: PinnedService): AskBmc =>
  async (at, body) =>
    await askPinned(service, at, body === undefined ? {} : { method: "POST", body });

/** @param system the path of the host's ComputerSystem; null: the only one */
export function redfish(ask: AskBmc, system: string | null): PowerControl {
  const read = async () => await systemOf(ask, system);
  const power = async () => powerOf(await read());
  const resetTo = async (wanted: Power, among: readonly string[]) => {
    const found = await read();
    if (powerOf(found) === wanted) return;
    await post(ask, await resetOf(ask, found, among));
  };
  return {
    power,
    turnOn: () => resetTo("on", types.on),
    shutDown: () => resetTo("off", types.shutDown),
    cut: () => resetTo("off", types.cut),
  };
}

async function get<T extends z.ZodType>(ask: AskBmc, at: string, schema: T): Promise<z.output<T>> {
  const { status, body } = await ask(at);
  mustBeGood(at, status, body);
  const { data } = schema.safeParse(body);
  if (data === undefined) throw new Error(`what it says at ${shown(at)} is not what Redfish has there`);
  return data;
}

type System = z.infer<typeof computerSystem>;

async function systemOf(ask: AskBmc, system: string | null): Promise<System> {
  return await get(ask, system ?? (await onlySystem(ask)), computerSystem);
}

async function onlySystem(ask: AskBmc): Promise<string> {
  const { Systems } = await get(ask, "/redfish/v1/", root);
  const { Members } = await get(ask, Systems["@odata.id"], members);
  const paths = Members.map((member) => member["@odata.id"]);
  const [only] = paths;
  if (only !== undefined && paths.length === 1) return only;
  if (only === undefined) throw new Error("it has no system");
  throw new Error(
    `it has several systems, and it must be said which: ${paths.slice(0, 8).map(shown).join(", ")}`,
  );
}

function powerOf({ PowerState: state }: System): Power {
  const power = state == null || !Object.hasOwn(powers, state) ? undefined : powers[state];
  if (power === undefined)
    throw new Error(`it does not say whether the host is on (${shown(state ?? "no PowerState")})`);
  return power;
}

async function resetOf(
  ask: AskBmc,
  { Actions }: System,
  among: readonly string[],
): Promise<{ target: string; type: string }> {
  const action = Actions?.["#ComputerSystem.Reset"];
  if (action === undefined)
    throw new Error("it offers no reset of the host: the user may lack the privilege");
  const allowed =
    action["ResetType@Redfish.AllowableValues"] ?? (await allowedBy(ask, action["@Redfish.ActionInfo"]));
  const type = among.find((one) => allowed?.includes(one) ?? true);
  if (type === undefined)
    throw new Error(
      `it allows none of ${among.join(", ")}, only ${(allowed ?? []).slice(0, 20).map(shown).join(", ")}`,
    );
  return { target: action.target, type };
}

/** Null: it does not say. */
async function allowedBy(ask: AskBmc, info: string | undefined): Promise<string[] | null> {
  if (info === undefined) return null;
  const { Parameters } = await get(ask, info, actionInfo);
  return Parameters.find(({ Name }) => Name === "ResetType")?.AllowableValues ?? null;
}

async function post(ask: AskBmc, { target, type }: { target: string; type: string }): Promise<void> {
  const { status, body } = await ask(target, { ResetType: type });
  mustBeGood(`ResetType ${type}`, status, body);
}

function mustBeGood(what: string, status: number, body: unknown): void {
  if (status >= 200 && status < 300) return;
  if (status === 401 || status === 403)
    throw new Error(`it does not let the user in (status ${String(status)})`);
  const { data } = refusal.safeParse(body);
  const said = data?.error["@Message.ExtendedInfo"]?.[0]?.Message ?? data?.error.message;
  throw new Error(
    `it answers ${shown(what)} with status ${String(status)}${said == null ? "" : `: ${shown(said)}`}`,
  );
}

/** Words of the BMC, as they may stand in a sentence. */
const shown = (text: string): string =>
  text
    .replace(/[^\x20-\x7e]/g, "?")
    .slice(0, 200)
    .replace(/\.$/, "");
