/** A copied image grows to the size that its disk is to have; what is in it stays as it is. The image was inspected. */
import { GodwitError, type VmDisk } from "@godwit/contract";
import { limitedAs, run, type UserIds } from "@godwit/system";

export interface ImageToGrow {
  vm: string;
  disk: string;
  /** What it was copied from. */
  image: string;
  /** Where the copy lies, absolute. */
  path: string;
  format: VmDisk["format"];
  sizeMib: number;
  /** QEMU's, whose file it is. */
  user: UserIds;
}

/** Of an image that says of itself what it likes. */
const limitMs = 60_000;

/** @throws IMAGE_LARGER, PROGRAM_FAILED */
export async function growImage(grow: ImageToGrow): Promise<void> {
  const { vm, disk, image, path, format, sizeMib, user } = grow;
  // A qcow2 file has its tables besides.
  const mostBytes = sizeMib * 1048576 * 2;
  const [program = "", ...args] = [
    ...limitedAs(user, mostBytes),
    ...["qemu-img", "resize", "-q", "-f", format, path, `${String(sizeMib)}M`],
  ];
  await run(program, args, { what: `growing disk ${disk} of VM ${vm}`, timeoutMs: limitMs }).catch(
    (error: unknown) => {
      const said = GodwitError.is(error) ? String(error.problem.details.output) : "";
      if (!said.includes("--shrink")) throw error;
      throw GodwitError.of("IMAGE_LARGER", { vm, disk, path: image, sizeMib }, { cause: error });
    },
  );
}
