/** The AppArmor profile of QEMU (`packaging/apparmor`), where the host has AppArmor and an administrator loaded it. */
import { readFileOrNull } from "@godwit/system";

const profileName = "godwit-qemu";

export interface AppArmor {
  /** That QEMU is to be started under; null: under none. */
  profile: string | null;
  /** Why QEMU is not confined by it, the end of a sentence; null: it is. */
  problem: string | null;
}

/** Looked at before each start: a profile can be loaded and removed at any time. */
export async function readAppArmor(): Promise<AppArmor> {
  try {
    const [enabled, profiles] = await Promise.all([
      readFileOrNull("/sys/module/apparmor/parameters/enabled"),
      readFileOrNull("/sys/kernel/security/apparmor/profiles"),
    ]);
    return appArmorOf(enabled, profiles);
  } catch (error) {
    return { profile: null, problem: `its profiles could not be read: ${(error as Error).message}` };
  }
}

/** By what the kernel says of itself and of the profiles that are loaded. */
export function appArmorOf(enabled: string | null, profiles: string | null): AppArmor {
  if (enabled?.trim() !== "Y") return { profile: null, problem: "AppArmor is not enabled there" };
  const mode = new RegExp(`^${profileName} \\((\\w+)\\)$`, "m").exec(profiles ?? "")?.[1];
  if (mode === undefined) return { profile: null, problem: `its profile ${profileName} is not loaded there` };
  const problem = mode === "enforce" ? null : `its profile ${profileName} is in ${mode} mode there`;
  return { profile: profileName, problem };
}
