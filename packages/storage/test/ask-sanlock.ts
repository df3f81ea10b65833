/** A program for a test, under a limit of descriptors: asks a host's sanlock while it has none left. */
import { closeSync, openSync } from "node:fs";
import { Sanlock } from "../src/index.ts";

const [runFolder = "", lockspace = "", path = "", host = ""] = process.argv.slice(2);
const sanlock = new Sanlock({ runFolder });
await sanlock.status();
await sanlock.ownRenewal({ lockspace, path }, host);
const taken: number[] = [];
try {
  for (;;) taken.push(openSync("/dev/null", "r"));
} catch {
  // none is left
}
const { lockspaces } = await sanlock.status();
const hosts = await sanlock.hosts(lockspace);
const renewedAt = await sanlock.ownRenewal({ lockspace, path }, host);
const program = await sanlock.takenIds({ lockspace, path }).then(
  () => "started",
  (error: unknown) => (error as { code: string }).code,
);
for (const fd of taken) closeSync(fd);
console.log(
  JSON.stringify({
    joined: lockspaces.map(({ name, isJoined }) => [name, isJoined]),
    hosts: hosts.map(({ name }) => name).sort(),
    hasRenewed: (renewedAt ?? 0) > 0,
    program,
    afterwards: (await sanlock.takenIds({ lockspace, path })).size,
  }),
);
