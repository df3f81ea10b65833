/** A bootable image that reports a machine's CPUs: built from the distribution's packages. */
export { buildBootImage, type BootImage } from "./build-boot-image.ts";
