/** Owners of real things for tests: each cleans up after itself. */
export { inPhase, TestLab, withoutBusyMachine, type BootOptions } from "./test-lab.ts";
export { bmcPassword, LabBmc } from "./lab-bmc.ts";
export { allowUserfaultfd, forbidUserfaultfd } from "./userfaultfd.ts";
