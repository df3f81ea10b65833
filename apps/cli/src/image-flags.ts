/** What `image add` asks of the server, from its arguments. Pure. */
import { GodwitError, isName, newImageSchema, type ImageFormat, type NewImage } from "@godwit/contract";

export interface ImageFlags {
  name?: string;
  datastore?: string;
  checksum?: string;
  format?: ImageFormat;
  host?: string;
}

/**
 * @returns what completes it with the datastores that there are, where none is named
 * @throws USAGE
 */
export function newImage(
  origin: string,
  flags: ImageFlags,
): (datastores: () => Promise<string[]>) => Promise<NewImage> {
  const { checksum, format, host } = flags;
  const sum = checksum === undefined ? {} : { checksum };
  const from = { ...originOf(origin), ...sum };
  const name = flags.name ?? nameOf(origin);
  const complete = (datastore: string): NewImage => {
    const parsed = newImageSchema.safeParse({
      ...{ name, datastore, from },
      ...(format === undefined ? {} : { format }),
      ...(host === undefined ? {} : { host }),
    });
    if (parsed.success) return parsed.data;
    const problems = parsed.error.issues.flatMap((issue) =>
      issue.code === "invalid_union"
        ? issue.errors.flatMap((one) =>
            one.filter(({ code }) => code !== "unrecognized_keys" && code !== "invalid_type"),
          )
        : [issue],
    );
    const [first] = problems;
    throw GodwitError.of("USAGE", {
      what: `${origin} cannot be added: ${[first?.path.join(".") ?? "", first?.message ?? "it is not understood"].filter((word) => word !== "").join(" ")}.`,
      hint: "See godwit image add --help.",
    });
  };
  if (flags.datastore !== undefined) {
    const whole = complete(flags.datastore);
    return () => Promise.resolve(whole);
  }
  complete("any");
  return async (datastores) => complete("datastore" in from ? from.datastore : only(await datastores()));
}

function originOf(origin: string): { url: string } | { datastore: string; path: string } {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(origin)) return { url: origin };
  const [, datastore, path] = /^([^:/]+):(.+)$/.exec(origin) ?? [];
  if (datastore !== undefined && path !== undefined) return { datastore, path };
  throw GodwitError.of("USAGE", {
    what: `${origin} is neither an address nor a file of a datastore.`,
    hint: "Copy the file to a datastore and name it there: godwit image add DATASTORE:PATH",
  });
}

/** Of the last part of the path, without what tells the format. @throws USAGE */
function nameOf(origin: string): string {
  const file = origin.split(/[?#]/)[0]?.split("/").at(-1) ?? "";
  const name = file
    .toLowerCase()
    .replace(/\.(?:qcow2|raw|img|vmdk|vdi|vhdx|vhd)$/, "")
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  if (isName(name)) return name;
  throw GodwitError.of("USAGE", {
    what: `No name for the image follows from ${origin}.`,
    hint: "Give one: --name debian-12",
  });
}

/** @throws USAGE */
function only(names: readonly string[]): string {
  const [first, ...others] = names;
  if (first !== undefined && others.length === 0) return first;
  throw GodwitError.of("USAGE", {
    what:
      first === undefined
        ? "There is no datastore that the image could lie on."
        : `There are several datastores (${names.join(", ")}), and none is named.`,
    hint:
      first === undefined
        ? "Define one: godwit datastore add NAME --path FOLDER --init"
        : `Name one: --datastore ${first}`,
  });
}
