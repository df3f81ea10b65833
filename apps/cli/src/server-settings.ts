/** Which database the server uses: as the environment says, or the settings of the service that a package installed. */
import { readFileOrNull } from "@godwit/system/files";
import { defaultDataFolder } from "./connection.ts";
import { isPackaged } from "./installation.ts";

const settingsFile = "/etc/default/godwit-server";

/** @returns undefined: the private one in the data folder */
export async function databaseUrlOf(dataFolder: string): Promise<string | undefined> {
  const { GODWIT_DATABASE_URL: given } = process.env;
  if (given !== undefined || !isPackaged || dataFolder !== defaultDataFolder) return given;
  return databaseUrlIn((await readFileOrNull(settingsFile)) ?? "");
}

/** As systemd reads such a file: the last line counts, and quotes around a value are none of it. Pure. */
export function databaseUrlIn(settings: string): string | undefined {
  const values = settings.split("\n").flatMap((line) => {
    const value = /^\s*GODWIT_DATABASE_URL=(.*)$/.exec(line)?.[1]?.trim();
    return value === undefined ? [] : [value.replace(/^(["'])(.*)\1$/, "$2")];
  });
  const last = values.at(-1);
  return last === "" ? undefined : last;
}
