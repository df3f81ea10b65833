/** The unit of systemd that a VM's QEMU runs in, where systemd runs. */
export const vmUnit = (vmId: string): string => `godwit-vm-${vmId}.service`;
