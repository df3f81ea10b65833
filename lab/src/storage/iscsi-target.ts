/** An iSCSI target with one disk, in a namespace: Debian's tgt, with a control socket of its own. Locks nothing. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { run, sleep } from "@godwit/system";
import { Program } from "./program.ts";

export interface IscsiTargetOptions {
  namespace: string;
  /** Of its control socket. */
  folder: string;
  /** Where it listens, an address of the namespace. */
  address: string;
  /** The file behind the disk; it must be there. */
  backing: string;
  /** Who may log in, by CHAP; absent: everybody. */
  chap?: { user: string; secret: string };
}

export interface IscsiTarget extends AsyncDisposable {
  address: string;
  port: number;
  /** Its name; the disk is LUN 1. */
  target: string;
}

const target = "iqn.2024-01.test.local:store";
const port = 3260;
const controlPort = "3";
const readyLimitMs = 120_000;

/** @throws PROGRAM_FAILED with the target's last words */
export async function startIscsiTarget(options: IscsiTargetOptions): Promise<IscsiTarget> {
  const { namespace, folder, address, backing, chap } = options;
  await mkdir(folder, { recursive: true });
  const env = { TGT_IPC_SOCKET: join(folder, "control") };
  const tgtd = await Program.start({
    what: "the iSCSI target",
    argv: [
      ...["ip", "netns", "exec", namespace],
      ...["tgtd", "-f", "--control-port", controlPort, "--iscsi", `portal=${address}:${String(port)}`],
    ],
    env,
  });
  const administer = async (words: readonly string[], okCodes = [0]): Promise<number> => {
    const args = ["-C", controlPort, "--lld", "iscsi", ...words];
    return (await run("tgtadm", args, { what: "making an iSCSI target", env, okCodes })).exitCode;
  };
  const on = (mode: string, op: string): string[] => ["--mode", mode, "--op", op, "--tid", "1"];
  try {
    const until = performance.now() + readyLimitMs;
    // tgtd says nothing when it is ready.
    while ((await administer(["--mode", "sys", "--op", "show"], [0, 22, 107])) !== 0) {
      if (performance.now() > until) throw tgtd.failed("it was not ready in time");
      await Promise.race([tgtd.ended, sleep(20)]);
      if (tgtd.isOver) throw tgtd.failed("it ended");
    }
    await administer([...on("target", "new"), "-T", target]);
    await administer([...on("logicalunit", "new"), "--lun", "1", "-b", backing]);
    await administer([...on("target", "bind"), "-I", "ALL"]);
    if (chap !== undefined) {
      const account = ["--mode", "account", "--user", chap.user];
      await administer([...account, "--op", "new", "--password", chap.secret]);
      await administer([...account, "--op", "bind", "--tid", "1"]);
    }
  } catch (error) {
    await tgtd.end();
    throw error;
  }
  return { address, port, target, [Symbol.asyncDispose]: () => tgtd.end() };
}
