/**
 * A client that asks again where its call was surely not carried out: an emulated server on a busy machine now and then
 * does not take a connection in time.
 */
import { Client } from "@godwit/client";
import { GodwitError, serverOperations, type Answer, type Given } from "@godwit/contract";
import { sleep } from "@godwit/system";

type Name = keyof typeof serverOperations;

const attempts = 60;
const everyMs = 2000;

export class PatientClient extends Client<typeof serverOperations> {
  override async call<K extends Name>(
    name: K,
    given: Given<(typeof serverOperations)[K]>,
    options: { timeoutMs?: number } = {},
  ): Promise<Answer<(typeof serverOperations)[K]>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await super.call(name, given, options);
      } catch (error) {
        if (attempt === attempts || !isWorthIt(name, error)) throw error;
        await sleep(everyMs);
      }
    }
  }
}

const isWorthIt = (name: Name, error: unknown): boolean =>
  GodwitError.is(error, "CONNECTION_FAILED") ||
  (serverOperations[name].method === "GET" && GodwitError.is(error) && error.problem.retry === "later");
