/** `godwit host power set` */
import type { PowerController, PowerKind } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand, numberParser } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { firstLineOf } from "../../../first-line.ts";
import { parseSeconds } from "../../../output/format.ts";
import { powerText } from "../../../output/power-view.ts";
import { writeJson, writeLine } from "../../../output/screen.ts";
import { hostArgument, jsonFlag, wordsOf, type JsonFlags } from "../../common.ts";

interface SetFlags extends JsonFlags {
  kind: PowerKind;
  url?: string;
  system?: string;
  fingerprint?: string;
  address?: string;
  port?: number;
  cipherSuite?: number;
  user?: string;
  passwordFile?: string;
  mac?: string;
  broadcast?: string;
  wakeWithin?: number;
  offWithin?: number;
}

const text = (brief: string) => ({ kind: "parsed", parse: String, brief, optional: true }) as const;

export const setCommand = buildCommand({
  docs: {
    brief: "Set by which BMC, or by Wake-on-LAN, a host's power is controlled",
    fullDescription: `The server itself speaks to the controller: a host that is off has no agent. It asks the controller first, and keeps one that
answers. The password is encrypted in the server's database, and no command shows it.

  redfish  a BMC by Redfish: --url, --user, --password-file. --fingerprint is the SHA-256 of its certificate, which no authority has signed:
           openssl s_client -connect BMC:443 </dev/null | openssl x509 -noout -fingerprint -sha256
  ipmi     a BMC by IPMI 2.0 over LAN: --address, --user, --password-file; needs ipmitool on the server
  wol      Wake-on-LAN: --mac of the host's network card. It only turns the host on; its agent shuts it down

Examples:
  godwit host power set a --kind redfish --url https://10.0.0.21 --user godwit --password-file /root/bmc --fingerprint 3F:9A:...
  godwit host power set b --kind ipmi --address 10.0.0.22 --user godwit --password-file /root/bmc --wake-within 15min
  godwit host power set c --kind wol --mac 3c:ec:ef:12:34:56 --broadcast 10.0.0.255`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      kind: {
        kind: "enum",
        values: wordsOf<PowerKind>({ redfish: true, ipmi: true, wol: true }),
        brief: "What controls it",
      },
      url: text("redfish: https://ADDRESS of the BMC"),
      system: text("redfish: path of the host's system, where the BMC has several"),
      fingerprint: text("redfish: SHA-256 of the BMC's certificate"),
      address: text("ipmi: name or address of the BMC"),
      port: { kind: "parsed", parse: numberParser, brief: "ipmi: UDP port (default: 623)", optional: true },
      cipherSuite: {
        kind: "parsed",
        parse: numberParser,
        brief: "ipmi: cipher suite, like 3 or 17 (default: the best that the BMC offers)",
        optional: true,
      },
      user: text("redfish, ipmi: user of the BMC"),
      passwordFile: text("redfish, ipmi: a file whose first line is the user's password"),
      mac: text("wol: MAC address of the host's network card"),
      broadcast: text("wol: where the packet is sent (default: 255.255.255.255)"),
      wakeWithin: {
        kind: "parsed",
        parse: parseSeconds,
        brief: "How long it may take from off until its agent answers, like 15min (default: 20min)",
        optional: true,
      },
      offWithin: {
        kind: "parsed",
        parse: parseSeconds,
        brief: "How long a shutdown may take (default: 10min)",
        optional: true,
      },
    },
    positional: hostArgument,
  },
  async func(flags: SetFlags, host: string) {
    const { passwordFile, wakeWithin, offWithin } = flags;
    const body = {
      controller: controllerOf(flags),
      ...(passwordFile === undefined
        ? {}
        : { password: await firstLineOf(passwordFile, "Its first line is the password of the BMC's user.") }),
      ...(wakeWithin === undefined ? {} : { wakeSeconds: wakeWithin }),
      ...(offWithin === undefined ? {} : { offSeconds: offWithin }),
    };
    const view = await withApi((api) => api.call("hostPowerSet", { params: { host }, body }));
    if (flags.json) writeJson(view);
    else writeLine(powerText(host, view));
  },
});

const optionsOf = {
  redfish: { must: ["url", "user", "passwordFile"], may: ["system", "fingerprint"] },
  ipmi: { must: ["address", "user", "passwordFile"], may: ["port", "cipherSuite"] },
  wol: { must: ["mac"], may: ["broadcast"] },
} as const satisfies Record<PowerKind, { must: (keyof SetFlags)[]; may: (keyof SetFlags)[] }>;

/** @throws USAGE */
function controllerOf(flags: SetFlags): PowerController {
  const { kind } = flags;
  const own: readonly (keyof SetFlags)[] = [...optionsOf[kind].must, ...optionsOf[kind].may];
  const all = Object.values(optionsOf).flatMap(({ must, may }) => [...must, ...may]);
  const lacks = optionsOf[kind].must.filter((name) => flags[name] === undefined);
  const foreign = all.filter((name) => flags[name] !== undefined && !own.includes(name));
  if (lacks.length + foreign.length > 0)
    throw GodwitError.of("USAGE", {
      what:
        lacks.length > 0
          ? `A controller of kind ${kind} needs ${lacks.map(flagOf).join(", ")}.`
          : `A controller of kind ${kind} has no ${foreign.map(flagOf).join(", ")}.`,
      hint: "godwit host power set --help shows what each kind needs.",
    });
  const {
    url = "",
    user = "",
    fingerprint,
    system,
    address = "",
    port,
    cipherSuite,
    mac = "",
    broadcast,
  } = flags;
  switch (kind) {
    case "redfish":
      return { kind, url, user, ...(fingerprint && { fingerprint }), ...(system && { system }) };
    case "ipmi":
      return { kind, address, user, port, cipherSuite };
    case "wol":
      return { kind, mac: mac.toLowerCase().replaceAll("-", ":"), ...(broadcast && { broadcast }) };
  }
}

const flagOf = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
