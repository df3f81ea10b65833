/** The end of a lab, also of one that was only half made: its processes, its namespaces, its folder. */
import { rm } from "node:fs/promises";
import { endProcess, identifyProcess } from "@godwit/system";
import { thawUnder, unmountUnder } from "./hosts/own-file-systems.ts";
import { labFolder } from "./names.ts";
import { listNamespaces, processesIn, removeNamespace } from "./switch.ts";

/** Ends what runs in the lab's namespaces, removes them, and removes its folder. */
export async function removeLab(id: string): Promise<void> {
  await thawUnder(labFolder(id));
  for (const namespace of await listNamespaces(id)) {
    await endAllIn(namespace);
    await removeNamespace(namespace);
  }
  await unmountUnder(labFolder(id));
  await rm(labFolder(id), { recursive: true, force: true });
}

/** Kills every process of a namespace, and those that they start meanwhile. */
export async function endAllIn(namespace: string): Promise<void> {
  for (;;) {
    const pids = await processesIn(namespace);
    if (pids.length === 0) return;
    await Promise.all(
      pids.map(async (pid) => {
        const identity = await identifyProcess(pid);
        if (identity !== null) await endProcess(identity, "SIGKILL", 0);
      }),
    );
  }
}
