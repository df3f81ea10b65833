/** What the commands about masks share: the grammar in their help, and how a host and masks are given. */

export const grammar = `A mask is KEY=VALUE, or a file with such lines (a .vmx file; - reads standard input).
  cpuid.LEAF.REGISTER[.intel|.amd] = eight groups of four characters, bit 31 first:
      0 hidden      1 forced      H the host's, alike at a move      R hidden, alike at a move
      T must be 1   F must be 0   X the host's, not compared         - as the mask below has it
  featMask.vm.cpuid.NAME = Val:N, Max:N or Min:N
  featureRequirement.cpuid.NAME = Bool:Min:1, Num:Min:N, Min:N or Match:N
  featureCompat.vm.completeMasks = TRUE: what no featMask names is hidden`;

export const hostFlags = {
  host: { kind: "parsed", parse: String, brief: "Use the CPU of this host", optional: true },
  file: { kind: "parsed", parse: String, brief: "Use the CPU that this file describes", optional: true },
} as const;

export const masksArgument = {
  kind: "array",
  parameter: { brief: "KEY=VALUE or a file", placeholder: "mask", parse: String },
  minimum: 1,
} as const;
