/**
 * The same words decoded by another program, `cpuid` of Todd Allen (Debian's package `cpuid`): each feature that
 * it prints must be what we say. Runs where the program is installed.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { describeWith } from "../../../../test-kit/src/describe-with.ts";
import { features, readCpuSource, reportOf, type CpuidLeaf } from "../../src/index.ts";
import { cpuOfLeaves, cpuidRaw, leaf0 } from "../formats/dumps.ts";

/** By section, what it prints before the equals sign. */
const labels: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "feature information (1/edx)": {
    fpu: "x87 FPU on chip",
    vme: "VME: virtual-8086 mode enhancement",
    de: "DE: debugging extensions",
    pse: "PSE: page size extensions",
    tsc: "TSC: time stamp counter",
    msr: "RDMSR and WRMSR support",
    pae: "PAE: physical address extensions",
    mce: "MCE: machine check exception",
    cx8: "CMPXCHG8B inst.",
    apic: "APIC on chip",
    sep: "SYSENTER and SYSEXIT",
    mtrr: "MTRR: memory type range registers",
    pge: "PTE global bit",
    mca: "MCA: machine check architecture",
    cmov: "CMOV: conditional move/compare instr",
    pat: "PAT: page attribute table",
    pse36: "PSE-36: page size extension",
    pn: "PSN: processor serial number",
    clflush: "CLFLUSH instruction",
    ds: "DS: debug store",
    acpi: "ACPI: thermal monitor and clock ctrl",
    mmx: "MMX Technology",
    fxsr: "FXSAVE/FXRSTOR",
    sse: "SSE extensions",
    sse2: "SSE2 extensions",
    ss: "SS: self snoop",
    ht: "hyper-threading / multi-core supported",
    tm: "TM: therm. monitor",
    ia64: "IA64",
    pbe: "PBE: pending break event",
  },
  "feature information (1/ecx)": {
    pni: "PNI/SSE3: Prescott New Instructions",
    pclmulqdq: "PCLMULDQ instruction",
    dtes64: "DTES64: 64-bit debug store",
    monitor: "MONITOR/MWAIT",
    "ds-cpl": "CPL-qualified debug store",
    vmx: "VMX: virtual machine extensions",
    smx: "SMX: safer mode extensions",
    est: "Enhanced Intel SpeedStep Technology",
    tm2: "TM2: thermal monitor 2",
    ssse3: "SSSE3 extensions",
    cid: "context ID: adaptive or shared L1 data",
    sdbg: "SDBG: IA32_DEBUG_INTERFACE",
    fma: "FMA instruction",
    cx16: "CMPXCHG16B instruction",
    xtpr: "xTPR disable",
    pdcm: "PDCM: perfmon and debug",
    pcid: "PCID: process context identifiers",
    dca: "DCA: direct cache access",
    "sse4.1": "SSE4.1 extensions",
    "sse4.2": "SSE4.2 extensions",
    x2apic: "x2APIC: extended xAPIC support",
    movbe: "MOVBE instruction",
    popcnt: "POPCNT instruction",
    "tsc-deadline": "time stamp counter deadline",
    aes: "AES instruction",
    xsave: "XSAVE/XSTOR states",
    osxsave: "OS-enabled XSAVE/XSTOR",
    avx: "AVX: advanced vector extensions",
    f16c: "F16C half-precision convert instruction",
    rdrand: "RDRAND instruction",
    hypervisor: "hypervisor guest status",
  },
  "extended feature flags (7)": {
    fsgsbase: "FSGSBASE instructions",
    "tsc-adjust": "IA32_TSC_ADJUST MSR supported",
    sgx: "SGX: Software Guard Extensions supported",
    bmi1: "BMI1 instructions",
    hle: "HLE hardware lock elision",
    avx2: "AVX2: advanced vector extensions 2",
    smep: "SMEP supervisor mode exec protection",
    bmi2: "BMI2 instructions",
    erms: "enhanced REP MOVSB/STOSB",
    invpcid: "INVPCID instruction",
    rtm: "RTM: restricted transactional memory",
    mpx: "MPX: intel memory protection extensions",
    avx512f: "AVX512F: AVX-512 foundation instructions",
    avx512dq: "AVX512DQ: double & quadword instructions",
    rdseed: "RDSEED instruction",
    adx: "ADX instructions",
    smap: "SMAP: supervisor mode access prevention",
    avx512ifma: "AVX512IFMA: integer fused multiply add",
    clflushopt: "CLFLUSHOPT instruction",
    clwb: "CLWB instruction",
    "intel-pt": "Intel processor trace",
    avx512pf: "AVX512PF: prefetch instructions",
    avx512er: "AVX512ER: exponent & reciprocal instrs",
    avx512cd: "AVX512CD: conflict detection instrs",
    "sha-ni": "SHA instructions",
    avx512bw: "AVX512BW: byte & word instructions",
    avx512vl: "AVX512VL: vector length",
    avx512vbmi: "AVX512VBMI: vector byte manipulation",
    umip: "UMIP: user-mode instruction prevention",
    pku: "PKU protection keys for user-mode",
    ospke: "OSPKE CR4.PKE and RDPKRU/WRPKRU",
    waitpkg: "WAITPKG instructions",
    avx512vbmi2: "AVX512_VBMI2: byte VPCOMPRESS, VPEXPAND",
    gfni: "GFNI: Galois Field New Instructions",
    vaes: "VAES instructions",
    vpclmulqdq: "VPCLMULQDQ instruction",
    avx512vnni: "AVX512_VNNI: neural network instructions",
    avx512bitalg: "AVX512_BITALG: bit count/shiffle",
    "avx512-vpopcntdq": "AVX512: VPOPCNTDQ instruction",
    la57: "LA57: 57-bit addrs & 5-level paging",
    rdpid: "RDPID: read processor ID supported",
    "bus-lock-detect": "bus lock detection",
    cldemote: "CLDEMOTE supports cache line demote",
    movdiri: "MOVDIRI instruction",
    movdir64b: "MOVDIR64B instruction",
    enqcmd: "ENQCMD instruction",
    sgxlc: "SGX_LC: SGX launch config supported",
    pks: "PKS: supervisor protection keys",
    "avx512-4vnniw": "AVX512_4VNNIW: neural network instrs",
    "avx512-4fmaps": "AVX512_4FMAPS: multiply acc single prec",
    fsrm: "fast short REP MOV",
    "avx512-vp2intersect": "AVX512_VP2INTERSECT: intersect mask regs",
    "md-clear": "VERW MD_CLEAR microcode support",
    serialize: "SERIALIZE instruction",
    hybrid: "hybrid part",
    "tsx-ldtrk": "TSXLDTRK: TSX suspend load addr tracking",
    pconfig: "PCONFIG instruction",
    "arch-lbr": "LBR: architectural last branch records",
    "cet-ibt": "CET_IBT: CET indirect branch tracking",
    "amx-bf16": "AMX-BF16: tile bfloat16 support",
    "avx512-fp16": "AVX512_FP16: fp16 support",
    "amx-tile": "AMX-TILE: tile architecture support",
    "amx-int8": "AMX-INT8: tile 8-bit integer support",
    "spec-ctrl": "IBRS/IBPB: indirect branch restrictions",
    stibp: "STIBP: 1 thr indirect branch predictor",
    "flush-l1d": "L1D_FLUSH: IA32_FLUSH_CMD MSR",
    "arch-capabilities": "IA32_ARCH_CAPABILITIES MSR",
    "core-capability": "IA32_CORE_CAPABILITIES MSR",
    ssbd: "SSBD: speculative store bypass disable",
    "avx-vnni": "AVX-VNNI: AVX VNNI neural network instrs",
    "avx512-bf16": "AVX512_BF16: bfloat16 instructions",
    cmpccxadd: "CMPccXADD instructions",
    fzrm: "fast zero-length MOVSB",
    fsrs: "fast short STOSB",
    fsrc: "fast short CMPSB, SCASB",
    "amx-fp16": "AMX-FP16: FP16 tile operations",
    "avx-ifma": "AVX-IFMA: integer fused multiply add",
    lam: "LAM: linear address masking",
    "avx-vnni-int8": "AVX-VNNI-INT8 instructions",
    "avx-ne-convert": "AVX-NE-CONVERT instructions",
    prefetchiti: "PREFETCHIT0, PREFETCHIT1 instructions",
  },
  "XSAVE features (0xd/0)": {
    xsaveopt: "XSAVEOPT instruction",
    xsavec: "XSAVEC instruction",
    xgetbv1: "XGETBV instruction",
    xsaves: "XSAVES/XRSTORS instructions",
    xfd: "XFD: extended feature disable supported",
  },
  "extended feature flags (0x80000001/edx)": {
    syscall: "SYSCALL and SYSRET instructions",
    nx: "no-execute page protection",
    mmxext: "AMD multimedia instruction extensions",
    "fxsr-opt": "SSE extensions",
    pdpe1gb: "1-GB large page support",
    rdtscp: "RDTSCP",
    lm: "long mode (AA-64)",
    "3dnowext": "3DNow! instruction extensions",
    "3dnow": "3DNow! instructions",
  },
  "AMD feature flags (0x80000001/ecx)": {
    "lahf-lm": "LAHF/SAHF supported in 64-bit mode",
    "cmp-legacy": "CMP Legacy",
    svm: "SVM: secure virtual machine",
    extapic: "extended APIC space",
    cr8legacy: "AltMovCr8",
    abm: "LZCNT advanced bit manipulation",
    sse4a: "SSE4A support",
    misalignsse: "misaligned SSE mode",
    "3dnowprefetch": "3DNow! PREFETCH/PREFETCHW instructions",
    osvw: "OS visible workaround",
    ibs: "instruction based sampling",
    xop: "XOP support",
    skinit: "SKINIT/STGI support",
    wdt: "watchdog timer support",
    lwp: "lightweight profiling support",
    fma4: "4-operand FMA instruction",
    tbm: "TBM support",
    topoext: "topology extensions",
    "perfctr-core": "core performance counter extensions",
    tce: "TCE: translation cache extension",
    monitorx: "MWAITX/MONITORX supported",
  },
  "Advanced Power Management Features (0x80000007/edx)": { invtsc: "TscInvariant" },
  "Extended Feature Extensions ID (0x80000008/ebx)": {
    clzero: "CLZERO instruction",
    xsaveerptr: "always save/restore error pointers",
    rdpru: "RDPRU instruction",
    wbnoinvd: "WBNOINVD instruction",
    ibpb: "IBPB: indirect branch prediction barrier",
    ibrs: "IBRS: indirect branch restr speculation",
    "amd-stibp": "STIBP: 1 thr indirect branch predictor",
    "stibp-always-on": "CPU prefers: STIBP always on",
    "lmsle-unsupported": "EFER[LMSLE] not supported",
    "amd-ssbd": "SSBD: speculative store bypass disable",
    "virt-ssbd": "virtualized SSBD",
    "amd-no-ssb": "SSBD fixed in hardware",
    "amd-psfd": "PSFD: predictive store forward disable",
    "btc-no": "not vulnerable to branch type confusion",
  },
  "SVM Secure Virtual Machine (0x8000000a/edx)": {
    npt: "nested paging",
    lbrv: "LBR virtualization",
    "svm-lock": "SVM lock",
    "nrip-save": "NRIP save",
    "tsc-scale": "MSR based TSC rate control",
    "vmcb-clean": "VMCB clean bits support",
    flushbyasid: "flush by ASID",
    decodeassists: "decode assists",
    "pause-filter": "pause intercept filter",
    pfthreshold: "pause filter threshold",
    avic: "AVIC: AMD virtual interrupt controller",
    "v-vmsave-vmload": "virtualized VMLOAD/VMSAVE",
    vgif: "virtualized global interrupt flag (GIF)",
    "svm-gmet": "GMET: guest mode execute trap",
    vnmi: "VNMI: NMI virtualization",
  },
  "Extended Feature 2 (0x80000021)": {
    "no-nested-data-bp": "no nested data-breakpoints",
    "lfence-always-serializing": "LFENCE always serializing",
    "null-sel-clr-base": "null selector clears base",
    "upper-address-ignore": "upper address ignore support",
    "auto-ibrs": "automatic IBRS",
    "cpl3-cpuid-gp": "CPUID disable for non-privileged",
  },
};

const installed = spawnSync("cpuid", ["--version"]).error === undefined;
const folder = mkdtempSync(join(tmpdir(), "godwit-second-decoder-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** section → label → answer, as the program prints them. */
function decoded(leaves: readonly CpuidLeaf[]): Map<string, Map<string, boolean>> {
  const path = join(folder, "words.txt");
  writeFileSync(path, cpuidRaw([cpuOfLeaves(leaves, null)]));
  const { stdout } = spawnSync("cpuid", ["-1", "-f", path], { encoding: "utf8" });
  const sections = new Map<string, Map<string, boolean>>();
  let section = new Map<string, boolean>();
  for (const line of stdout.split("\n")) {
    const heading = /^ {3}(\S.*):$/.exec(line)?.[1];
    if (heading !== undefined) {
      section = sections.get(heading) ?? new Map<string, boolean>();
      sections.set(heading, section);
    }
    const [, label = "", answer] = /^ {6}(\S.*?)\s*= (true|false)$/.exec(line) ?? [];
    if (answer !== undefined) section.set(label, answer === "true");
  }
  return sections;
}

const wanted = Object.entries(labels).flatMap(([section, rows]) =>
  Object.entries(rows).map(([name, label]) => ({ section, name, label })),
);

const word = fc.integer({ min: 0, max: 0xffffffff });
const words = fc.tuple(word, word, word, word);
const machine = fc
  .record({
    amd: fc.boolean(),
    one: words,
    seven: words,
    sevenOne: words,
    d: words,
    extended: words,
    more: fc.array(words, { minLength: 4, maxLength: 4 }),
  })
  .map(({ amd, one, seven, sevenOne, d, extended, more }): CpuidLeaf[] => {
    const leaf = (
      number: number,
      subleaf: number,
      [eax, ebx, ecx, edx]: [number, number, number, number],
    ) => ({
      leaf: number,
      subleaf,
      eax,
      ebx,
      ecx,
      edx,
    });
    return [
      leaf0(0xd, amd ? "AuthenticAMD" : "GenuineIntel"),
      leaf(1, 0, [amd ? 0x00a20f10 : 0x000406f1, one[1], one[2] | (1 << 26), one[3]]),
      leaf(7, 0, [1, seven[1], seven[2], seven[3]]),
      leaf(7, 1, sevenOne),
      leaf(0xd, 0, [7, 0x340, 0x340, 0]),
      leaf(0xd, 1, [d[0], 0, 0, 0]),
      leaf(0x80000000, 0, [0x80000021, 0, 0, 0]),
      leaf(0x80000001, 0, extended),
      ...[0x80000007, 0x80000008, 0x8000000a, 0x80000021].map((number, index) =>
        leaf(number, 0, more[index] ?? [0, 0, 0, 0]),
      ),
    ].map((one) => ({ ...one, eax: one.eax >>> 0, ecx: one.ecx >>> 0 }));
  });

describeWith("cpuid of Todd Allen", installed ? null : "cpuid is not installed", () => {
  test("every label is one that it prints, and every name one of ours", () => {
    const [sample] = fc.sample(
      machine.filter(([first]) => first?.ebx === 0x68747541),
      1,
    );
    const sections = decoded(sample ?? []);
    const missing = wanted.filter(({ section, label }) => sections.get(section)?.has(label) !== true);
    expect(missing).toEqual([]);
    const known = new Set(features.map((one) => one.name));
    expect(wanted.filter(({ name }) => !known.has(name))).toEqual([]);
  });

  test("it decodes any words as we do", () => {
    fc.assert(
      fc.property(machine, (leaves) => {
        const sections = decoded(leaves);
        const report = reportOf(readCpuSource(cpuidRaw([cpuOfLeaves(leaves, null)]), "a"));
        const has = new Set(report.features);
        const differing = wanted.flatMap(({ section, name, label }) => {
          const theirs = sections.get(section)?.get(label);
          return theirs === undefined || theirs === has.has(name) ? [] : [name];
        });
        expect(differing).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});
