/** The npm packages that are shipped: what the lock file says that a production installation has. */
/** What is read of package-lock.json, which npm writes. */
export interface Lock {
  packages: Record<
    string,
    { version?: string; license?: string; dev?: boolean; devOptional?: boolean; link?: boolean }
  >;
}

export interface Bundled {
  /** Relative to the checkout, like `node_modules/pg`. */
  folder: string;
  name: string;
  version: string;
  /** SPDX. */
  license: string;
}

/** @returns without the workspaces, by folder */
export function bundledOf({ packages }: Lock): Bundled[] {
  return Object.entries(packages)
    .filter(([folder, { dev, devOptional, link }]) => {
      return folder.includes("node_modules/") && dev !== true && devOptional !== true && link !== true;
    })
    .map(([folder, { version = "", license = "" }]) => {
      const name = folder.slice(folder.lastIndexOf("node_modules/") + "node_modules/".length);
      return { folder, name, version, license };
    })
    .sort((a, b) => (a.folder < b.folder ? -1 : 1));
}

/** Files of npm packages that no program reads when it runs. */
export const isNeeded = (path: string): boolean =>
  !/(\.d\.[cm]?ts|\.[cm]?ts|\.map|\.flow|\.sh|\.html|\.md|\.markdown)$|\/(test|tests|integration|\.github|benchmark|benchmarks|examples?|docs)(\/|$)|\/\.[^/]*$|\/Makefile$/i.test(
    path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length),
  );
