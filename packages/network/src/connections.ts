/**
 * TCP connections of this network namespace to one place. QEMU cannot be told to stop connecting: the kernel is told to
 * end the attempt (SOCK_DESTROY), and QEMU then hears that it failed.
 */
import { run } from "@godwit/system";

interface Place {
  address: string;
  port: number;
}

const filter = ({ address, port }: Place): string[] => {
  const [plain = address] = address.split("%", 1);
  return ["dst", plain.includes(":") ? `[${plain}]` : plain, "dport", "=", `:${String(port)}`];
};

/** Whether one of them is still being made: nobody has answered it yet. @throws PROGRAM_FAILED, PROGRAM_MISSING */
export async function isConnecting(place: Place): Promise<boolean> {
  const args = ["-H", "-t", "-n", "state", "syn-sent", ...filter(place)];
  const { stdout } = await run("ss", args, { what: "looking for connections that are not answered" });
  return stdout.trim() !== "";
}

/** Ends them, whatever they are doing; where the kernel cannot, they end by themselves. @throws PROGRAM_FAILED, PROGRAM_MISSING */
export async function endConnections(place: Place): Promise<void> {
  await run("ss", ["-K", "-H", "-t", "-n", ...filter(place)], {
    what: "ending connections that are not answered",
  });
}
