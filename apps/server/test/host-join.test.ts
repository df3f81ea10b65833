/** Joining costs the server nothing before the token is known to be good. */
import { GodwitError, silentHello } from "@godwit/contract";
import { expect, test } from "vitest";
import { hostHandlers } from "../src/api/hosts.ts";
import type { Services } from "../src/services.ts";

test("a wrong token is refused before anything is read of the requests, or signed", async () => {
  const asked: string[] = [];
  const checkToken = async (secret: string) => {
    asked.push(secret);
    throw GodwitError.of("TOKEN_INVALID", { reason: "unknown" });
  };
  // There is no authority to sign with: whoever tried would fail otherwise.
  const services = { store: { hosts: { checkToken } }, hosts: {}, data: {} } as unknown as Services;
  const join = hostHandlers(services).hostJoin({
    body: {
      token: "gwt1.wrong.0",
      name: "evil",
      agentUrl: "https://10.0.0.1:1",
      certificateRequest: "-----BEGIN nothing",
      migrationCertificateRequest: "-----BEGIN nothing",
    },
    params: undefined,
    query: undefined,
    actor: { kind: "anonymous" },
    hello: silentHello,
    signal: new AbortController().signal,
  });
  await expect(join).rejects.toMatchObject({ code: "TOKEN_INVALID" });
  expect(asked).toEqual(["wrong"]);
});
