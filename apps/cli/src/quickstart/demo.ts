/** The VM that people try Godwit with: the lab's guest, with its database, on host a. */
import { GodwitError, type Task } from "@godwit/contract";
import { buildGuest, placeGuest, type Lab } from "@godwit/lab";
import { followTask } from "../follow-task.ts";

export const demoName = "demo";
const memoryMib = 512;

/** Creates and starts it. @throws what it failed with */
export async function bootDemo(lab: Lab, say: (text: string) => void): Promise<void> {
  const { api } = lab;
  const image = await buildGuest(say);
  const options = { name: demoName, index: 0, memoryMib };
  const description = await placeGuest(lab.sharedFolder, image, options);
  say(`booting VM ${demoName} (${String(memoryMib)} MiB, redis) on a`);
  await done(lab, api.call("vmCreate", { body: { description, host: "a" } }));
  await done(lab, api.call("vmStart", { params: { vm: demoName }, body: {} }));
}

/** A task to its good end. @throws what it failed with */
export async function done(
  lab: Lab,
  started: Promise<Task>,
  changed: (task: Task) => void = () => undefined,
): Promise<Task> {
  const ended = await followTask(lab.api, (await started).id, changed);
  if (ended.error !== null) throw GodwitError.fromProblem(ended.error);
  return ended;
}
