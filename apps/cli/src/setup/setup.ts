/** Makes a machine ready for Godwit: packages, users, the lab's guest and QEMU. What is there already is left alone. */
import { buildGuest, ensureQemu, findGuest, lacksNewQemu } from "@godwit/lab";
import { ensureUser } from "@godwit/system";
import type { StatusLine } from "../output/screen.ts";
import { requireRoot } from "../require-root.ts";
import { installPackages, missingPackages } from "./packages.ts";

/** Of QEMU, of the server as a service, and of the database of a server that root runs. */
const users = ["godwit-qemu", "godwit", "godwit-db"];

/** @returns whether anything had to be done. @throws NOT_ROOT, USAGE, PROGRAM_FAILED */
export async function setup(status: StatusLine): Promise<boolean> {
  const say = (text: string) => {
    status.line(`setup: ${text}`);
  };
  const missing = await missingPackages();
  const guest = await findGuest();
  if (missing.length > 0 || guest === null) requireRoot("Installing packages and building the lab's guest");
  if (missing.length > 0) await installPackages(missing, say);
  for (const user of users) await ensureUser(user);
  if (guest === null) await buildGuest(say);
  const newerQemu = await lacksNewQemu();
  if (newerQemu) {
    requireRoot("Unpacking a QEMU for labs");
    await ensureQemu(say);
  }
  return missing.length > 0 || guest === null || newerQemu;
}
