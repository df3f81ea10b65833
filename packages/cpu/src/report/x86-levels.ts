/** The levels of the x86-64 psABI, by which distributions say what a CPU must have: x86-64-v2, -v3, -v4. */
import { has, type Cpu } from "../cpuid/cpu.ts";

const levels: readonly (readonly [name: string, adds: string])[] = [
  ["x86-64-v1", "lm cmov cx8 fpu fxsr mmx sse sse2"],
  ["x86-64-v2", "cx16 lahf-lm popcnt pni sse4.1 sse4.2 ssse3"],
  ["x86-64-v3", "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave"],
  ["x86-64-v4", "avx512f avx512bw avx512cd avx512dq avx512vl"],
];

/** The highest level that the CPU is known to have; null: it is not known to be a 64-bit one. */
export function x86LevelOf(cpu: Cpu): string | null {
  const lacking = levels.findIndex(([, adds]) => !adds.split(" ").every((name) => has(cpu, name) === true));
  return levels[(lacking === -1 ? levels.length : lacking) - 1]?.[0] ?? null;
}

/** The level that all of them have. */
export function commonX86Level(cpus: readonly Cpu[]): string | null {
  const own = cpus.map((cpu) => levels.findIndex(([name]) => name === x86LevelOf(cpu)));
  return cpus.length === 0 ? null : (levels[Math.min(...own)]?.[0] ?? null);
}
