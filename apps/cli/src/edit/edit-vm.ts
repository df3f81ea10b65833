/** Editing a VM's description: the editor is offered again, with every problem, until the text is right or not changed any more. */
import { GodwitError } from "@godwit/contract";
import { documentOf, readEdit, type Edit, type EditedVm } from "./document.ts";

/**
 * @param edit shows a text to the user, and answers what became of it
 * @param kept where that text is
 * @returns null: nothing is to be changed @throws VM_DESCRIPTION_INVALID where the user gives up, and what `edit` throws
 */
export async function editedVm(
  vm: EditedVm,
  edit: (text: string) => Promise<string>,
  kept: string,
): Promise<Edit | null> {
  const original = documentOf(vm);
  let [body, problems]: [string, string[]] = [original, []];
  for (;;) {
    const shown = headed(vm, problems) + body;
    const text = await edit(shown);
    const after = withoutHead(text);
    if (after === original || after.trim() === "") return null;
    if (problems.length > 0 && after === body)
      throw GodwitError.of("VM_DESCRIPTION_INVALID", { source: `in ${kept}`, problems });
    const read = readEdit(after, vm);
    if (!("problems" in read)) return read.edit;
    body = after;
    problems = numbered(vm, after, read.problems);
  }
}

/** With the lines that they have below the head that tells them. */
function numbered(vm: EditedVm, body: string, problems: readonly string[]): string[] {
  const above = headed(vm, problems).split("\n").length - 1;
  const read = readEdit("\n".repeat(above) + body, vm);
  return "problems" in read ? read.problems : [...problems];
}

function headed({ config: { name }, runs }: EditedVm, problems: readonly string[]): string {
  const lines = [
    ...(problems.length === 0
      ? []
      : [
          "This text is not valid, and nothing was changed yet:",
          ...problems.map((problem) => `  ${problem.replaceAll(/\s+/g, " ")}`),
          "Saved as it is, it is given up, and the file is kept.",
          "",
        ]),
    `VM ${name}. Saved without a change, or empty, nothing happens. These lines are ignored.`,
    `memoryMib (but for more, up to maxMemoryMib), maxMemoryMib, vcpus, topology, bootOrder, hugepages (2M, 1G), numa and tpm change while the VM is stopped, and so does whether it has a balloon${runs ? "; it is not stopped now" : ""}.`,
    "cpu holds from the next power-on; tags, notes, cpuAffinity, targetMib of balloon and cdroms at once. All else is changed by other commands.",
  ];
  return lines.map((line) => `${`# ${line}`.trimEnd()}\n`).join("");
}

/** All comments before the first field: the head, which is written again. */
const withoutHead = (text: string): string => text.replace(/^(?:[ \t]*(?:#[^\n]*)?\n)*/, "");
