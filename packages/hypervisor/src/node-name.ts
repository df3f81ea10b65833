/** Names of block nodes: QEMU takes no more than 31 characters, and disks and drives may have names of 63. Pure. */
import { createHash } from "node:crypto";

const most = 31;
const digits = 8;

/** The same for the same name always. A long name keeps its beginning, and a dot before what stands for the rest: no disk has such a name. */
export function nodeName(prefix: string, name: string): string {
  const whole = `${prefix}${name}`;
  if (whole.length <= most) return whole;
  const rest = createHash("sha256").update(name).digest("hex").slice(0, digits);
  return `${whole.slice(0, most - digits - 1)}.${rest}`;
}
