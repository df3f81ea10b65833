/** The power of a host by IPMI: the real ipmitool against OpenIPMI's simulator of a BMC, over the real protocol. */
import { spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@godwit/system";
import { expect, test } from "vitest";
import { describeWith } from "../../../../test-kit/src/describe-with.ts";
import { ipmi } from "../../src/power/ipmi.ts";

const lacks = ["ipmitool", "ipmi_sim"].filter(
  (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0,
);

/** The chassis of the simulated machine: what is asked of it is kept, and its power is a file. */
const chassis = (folder: string) => `#!/bin/sh
echo "$@" >> ${folder}/asked
case "$1 $2" in
"get power") echo "power:$(cat ${folder}/power)" ;;
"set power") echo "$3" > ${folder}/power ;;
esac
`;

const configuration = (folder: string, port: number) => `name "bmc"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 ${String(port)}
    priv_limit admin
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "${folder}/chassis"
  user 2 true "godwit" "s3cret" admin 10 none md2 md5 straight
`;

const commands = `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
mc_enable 0x20
`;

async function freePort(): Promise<number> {
  await using socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket.address().port;
}

describeWith("IPMI", lacks.length === 0 ? null : `not installed: ${lacks.join(", ")}`, () => {
  test("a BMC tells whether its host is on, turns it off and on, and hears of a shutdown; a wrong password is an error", async () => {
    const folder = await mkdtemp(join(tmpdir(), "godwit-ipmi-"));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rm(folder, { recursive: true }));
    const port = await freePort();
    await mkdir(join(folder, "state"));
    await writeFile(join(folder, "lan.conf"), configuration(folder, port));
    await writeFile(join(folder, "commands"), commands);
    await writeFile(join(folder, "chassis"), chassis(folder), { mode: 0o755 });
    await writeFile(join(folder, "power"), "1\n");
    const of = (name: string) => join(folder, name);
    const args = ["-c", of("lan.conf"), "-f", of("commands"), "-s", of("state"), "-n"];
    const bmc = spawn("ipmi_sim", args, { stdio: "ignore" });
    await once(bmc, "spawn");
    stack.defer(async () => {
      const ended = once(bmc, "exit");
      bmc.kill("SIGKILL");
      await ended;
    });

    // The simulator does not answer which cipher suites it has.
    const controller = { address: "127.0.0.1", port, user: "godwit", password: "s3cret", cipherSuite: 3 };
    const control = ipmi(controller);
    const first = await until(() => control.power().catch(() => null), { everyMs: 200, limitMs: 60_000 });
    expect(first).toBe("on");
    await control.turnOn();
    await control.cut?.();
    expect(await control.power()).toBe("off");
    expect(await readFile(of("power"), "utf8")).toBe("0\n");
    await control.turnOn();
    expect(await control.power()).toBe("on");
    await expect(ipmi({ ...controller, password: "guess" }).power()).rejects.toThrow("ipmitool says: ");
    await control.shutDown?.();
    const asked = (await readFile(of("asked"), "utf8")).split("\n");
    expect(asked.filter((line) => line.startsWith("set"))).toEqual([
      ...["set power 0", "set power 1", "set shutdown 1"],
    ]);
  });
});
