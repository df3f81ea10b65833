/** The distribution's packages as a source of files: downloaded by apt, unpacked in a folder, never installed. */
export { debianCodeName, unpackBackports } from "./backports.ts";
export { candidateVersions, packageBehind, unpackPackages, withLibraries } from "./fetch.ts";
export { copyProgram, firstOf, runUnpacked } from "./program.ts";
