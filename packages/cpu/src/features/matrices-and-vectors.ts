/**
 * Leaf 0x1E: what AMX can multiply, besides what leaf 7 tells; leaf 0x24: the vectors of AVX10. Rows as described in
 * `feature.ts`. The first bits of leaf 0x1E.1 repeat leaf 7's, and are no features of their own.
 */
import { register, type CpuFeature } from "./feature.ts";

export const matricesAndVectors: readonly CpuFeature[] = [
  ...register(0x1e, 1, "eax", [
    {
      bit: 4,
      name: "amx-fp8",
      level: "user",
      vmware: "TMUL_AMX_FP8",
      mask: "0",
      qemuSince: null,
      parents: ["amx-tile"],
    },
    {
      bit: 6,
      name: "amx-tf32",
      level: "user",
      vmware: "TMUL_AMX_TF32",
      mask: "0",
      qemuSince: null,
      parents: ["amx-tile"],
    },
    {
      bit: 7,
      name: "amx-avx512",
      level: "user",
      vmware: "TMUL_AMX_AVX512",
      mask: "0",
      qemuSince: null,
      parents: ["amx-tile"],
    },
    {
      bit: 8,
      name: "amx-movrs",
      level: "user",
      vmware: "TMUL_AMX_MOVRS",
      mask: "0",
      qemuSince: null,
      parents: ["amx-tile"],
    },
  ]),
  ...register(0x24, 0, "ebx", [
    {
      bit: 16,
      name: "avx10-128",
      level: "user",
      vmware: "AVX10_128",
      mask: "0",
      qemuSince: "9.2",
      parents: ["avx10"],
    },
    {
      bit: 17,
      name: "avx10-256",
      level: "user",
      vmware: "AVX10_256",
      mask: "0",
      qemuSince: "9.2",
      parents: ["avx10"],
    },
    {
      bit: 18,
      name: "avx10-512",
      level: "user",
      vmware: "AVX10_512",
      mask: "0",
      qemuSince: "9.2",
      parents: ["avx10"],
    },
  ]),
];
