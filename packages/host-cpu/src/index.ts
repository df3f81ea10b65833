/** The CPU of the machine that this runs on. */
export { readHostCpu, type HostCpuOptions } from "./read-host-cpu.ts";
