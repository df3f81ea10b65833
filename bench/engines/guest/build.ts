/**
 * The lab's guest with what the comparison's loads need beside it: the C compiler of Debian's packages with a file to compile, beside the guest's root.
 */
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyProgram, unpackPackages, withLibraries } from "@godwit/debian";
import { buildGuest, extendRoot, type GuestImage } from "@godwit/lab";

const compilerPackage = "cpp-12";
const compiler = "usr/lib/gcc/x86_64-linux-gnu/12/cc1";

/** A guest of the comparison; its files are gone when it is disposed of. */
export class ComparisonGuest implements AsyncDisposable {
  readonly image: GuestImage;
  readonly #folder: string;

  private constructor(image: GuestImage, folder: string) {
    this.image = image;
    this.#folder = folder;
  }

  /** @throws PACKAGES_UNAVAILABLE, PROGRAM_FAILED, PROGRAM_MISSING */
  static async build(say: (text: string) => void): Promise<ComparisonGuest> {
    const { kernel, initrd, disk } = await buildGuest(say);
    const folder = await mkdtemp(join(tmpdir(), "godwit-comparison-"));
    try {
      say("adding a compiler to the guest");
      const packages = join(folder, "packages");
      const root = join(folder, "root");
      await unpackPackages(await withLibraries([compilerPackage]), packages);
      await copyProgram(packages, compiler, root);
      const own = join(root, "usr/lib/godwit");
      await mkdir(own, { recursive: true });
      await copyFile(join(root, compiler), join(own, "cc1"));
      await rm(join(root, compiler));
      await copyFile(new URL("more.sh", import.meta.url), join(own, "more.sh"));
      await copyFile(new URL("unit.c", import.meta.url), join(own, "unit.c"));
      const both = join(folder, "initrd");
      await extendRoot(initrd, root, both);
      await rm(packages, { recursive: true });
      return new ComparisonGuest({ kernel, initrd: both, disk }, folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
