/** Where the rack keeps what it makes. */
import { join } from "node:path";

/** Made once and kept: roots, images, saved states. */
export const cacheFolder = "/var/cache/godwit/rack";
/** Of racks that are up; `down` removes theirs. */
export const racksFolder = "/var/lib/godwit-rack";

/** Namespaces and taps have short names; so has a rack. */
export const rackIdPattern = /^[a-z0-9]{1,8}$/;

export const rackFolder = (id: string): string => join(racksFolder, id);
