/** What is found on the hosts after a fault: asked of the process table, of QEMU, and of libvirt, each for itself. */
import { GodwitError } from "@godwit/contract";
import { tapsOn } from "./stage.ts";
import type { TestLab } from "@godwit/test-kit";
import { roles, type Role, type Scene } from "./scene.ts";
import type { Running } from "./watch.ts";

export interface HostState {
  role: Role;
  /** All its processes were killed: nothing is asked there. */
  isGone: boolean;
  /** The domain's QEMU processes, and whether the guest runs there. */
  qemus: number;
  running: Running;
  taps: number;
  /** libvirt's words: `running`, `paused`, `shut off`, `none`; `no answer` when it gives none in time. */
  domain: string;
  /** Its words for why. */
  reason: string;
}

const answerLimitMs = 10_000;

export async function statesOf(scene: Scene, lab: TestLab, gone: Role | undefined): Promise<HostState[]> {
  const qemus = await scene.peer.qemus(scene.domain);
  return await Promise.all(
    roles.map(async (role) => {
      const host = scene.hosts[role];
      const isGone = role === gone;
      const here = qemus.filter((qemu) => qemu.host === host).length;
      const running = here === 0 ? false : await scene.watch.isRunning(host);
      const [domain, reason] = isGone ? ["none", ""] : await domainOn(scene, host);
      return {
        role,
        isGone,
        qemus: here,
        running,
        taps: isGone ? 0 : await tapsOn(lab, host),
        domain,
        reason,
      };
    }),
  );
}

async function domainOn({ peer, domain }: Scene, host: string): Promise<[string, string]> {
  try {
    const { stdout, stderr } = await peer.host(host).virsh(["domstate", domain.name, "--reason"], {
      what: `asking for the state of ${domain.name}`,
      timeoutMs: answerLimitMs,
      okCodes: [0, 1],
    });
    if (/failed to get domain/.test(stderr)) return ["none", ""];
    const [, state, reason] = /^(.+?) \((.*)\)/.exec(stdout) ?? [];
    return state === undefined ? ["no answer", stderr.trim()] : [state, reason ?? ""];
  } catch (error) {
    if (!GodwitError.is(error, "PROGRAM_FAILED")) throw error;
    return ["no answer", ""];
  }
}
