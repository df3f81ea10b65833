/**
 * AMD's EVC modes. They are not a ladder: Bulldozer and later have no 3DNow!, Zen has none of XOP, FMA4 and
 * TBM, so that a Zen host satisfies B0 and B4 but none of B1 to B3. Only features decide, never the level.
 * `minus` takes away what QEMU's model has beyond the mode; microcode bits come back where a pool has them.
 */
import { expandRows } from "./mode.ts";

/** QEMU shows it from Zen on only, and emulation never. */
const hidden = "fxsr-opt";
const nested = "npt nrip-save svm";
/** What QEMU's models have from Bulldozer on, and from Zen on. */
const bulldozer = `3dnowprefetch pdpe1gb ${nested}`;
const zen = `cr8legacy ibpb monitor osvw perfctr-core topoext xsaveerptr ${bulldozer}`;
const zen2 = `amd-ssbd amd-stibp ibrs ${zen}`;
const zen3 = `erms fsrm svme-addr-chk ${zen2}`;

export const amdModes = expandRows("amd", [
  {
    key: "amd-rev-e",
    revision: 1,
    level: "A0",
    label: "AMD Opteron Generation 1 (Rev. E)",
    from: null,
    adds: "lm nx pni mmxext fxsr-opt 3dnow 3dnowext",
    hidden,
    model: "Opteron_G1-v1",
    plus: "mmxext 3dnow 3dnowext",
    evidence: "dumps",
  },
  {
    key: "amd-rev-f",
    revision: 1,
    level: "A1",
    label: "AMD Opteron Generation 2 (Rev. F)",
    from: "amd-rev-e@1",
    adds: "cx16 rdtscp",
    hidden,
    model: "Opteron_G2-v1",
    plus: "rdtscp mmxext 3dnow 3dnowext",
    evidence: "dumps",
    minus: "lahf-lm svm",
  },
  {
    key: "amd-greyhound-no3dnow",
    revision: 1,
    level: "A2/B0",
    label: "AMD Opteron Generation 3 (no 3DNow!)",
    from: "amd-rev-f@1",
    adds: "sse4a misalignsse popcnt abm lahf-lm",
    drops: "3dnow 3dnowext",
    hidden,
    model: "Opteron_G3-v1",
    plus: "mmxext",
    minus: "monitor svm",
    evidence: "dumps",
  },
  {
    key: "amd-greyhound",
    revision: 1,
    level: "A3",
    label: "AMD Opteron Generation 3 (Greyhound)",
    from: "amd-greyhound-no3dnow@1",
    adds: "3dnow 3dnowext",
    hidden,
    model: "Opteron_G3-v1",
    plus: "mmxext 3dnow 3dnowext",
    evidence: "dumps",
    minus: "monitor svm",
  },
  {
    key: "amd-bulldozer",
    revision: 1,
    level: "B1",
    label: "AMD Opteron Generation 4 (Bulldozer)",
    from: "amd-greyhound-no3dnow@1",
    adds: "ssse3 sse4.1 sse4.2 aes pclmulqdq avx xsave xop fma4",
    hidden,
    model: "Opteron_G4-v1",
    plus: "mmxext",
    minus: bulldozer,
    evidence: "dumps",
  },
  {
    key: "amd-piledriver",
    revision: 1,
    level: "B2",
    label: 'AMD Opteron "Piledriver" Generation',
    from: "amd-bulldozer@1",
    adds: "fma tbm bmi1 f16c",
    hidden,
    model: "Opteron_G5-v1",
    plus: "bmi1 mmxext",
    minus: bulldozer,
    evidence: "dumps",
  },
  {
    key: "amd-steamroller",
    revision: 1,
    level: "B3",
    label: 'AMD Opteron "Steamroller" Generation',
    from: "amd-piledriver@1",
    adds: "xsaveopt fsgsbase",
    hidden,
    // QEMU has no model of its own for it.
    model: "Opteron_G5-v1",
    plus: "bmi1 fsgsbase xsaveopt mmxext",
    evidence: "dumps",
    minus: bulldozer,
  },
  {
    key: "amd-zen",
    revision: 1,
    level: "B4",
    label: 'AMD "Zen" Generation',
    from: "amd-steamroller@1",
    adds: "rdrand smep avx2 bmi2 movbe adx rdseed smap clflushopt xsaves xsavec sha-ni clzero",
    drops: "xop fma4 tbm",
    model: "EPYC-v3",
    minus: `xgetbv1 ${zen}`,
    evidence: "dumps",
  },
  {
    key: "amd-zen2",
    revision: 1,
    level: "B5",
    label: 'AMD "Zen 2" Generation',
    from: "amd-zen@1",
    adds: "clwb umip rdpid xgetbv1 wbnoinvd",
    model: "EPYC-Rome-v2",
    minus: zen2,
    evidence: "dumps",
  },
  {
    key: "amd-zen3",
    revision: 1,
    level: "B6",
    label: 'AMD "Zen 3" Generation',
    from: "amd-zen2@1",
    adds: "invpcid pcid pku vaes vpclmulqdq cet-ss",
    model: "EPYC-Milan-v1",
    plus: "vaes vpclmulqdq",
    minus: zen3,
    evidence: "dumps",
  },
  {
    key: "amd-zen4",
    revision: 1,
    level: "B7",
    label: 'AMD "Zen 4" Generation',
    from: "amd-zen3@1",
    adds: `avx512f avx512-bf16 avx512bitalg avx512bw avx512cd avx512dq avx512ifma avx512vbmi avx512vbmi2 avx512vl
      avx512vnni avx512-vpopcntdq gfni`,
    model: "EPYC-Genoa-v1",
    qemuSince: "8.1",
    evidence: "dumps",
    minus: `amd-psfd auto-ibrs la57 lfence-always-serializing no-nested-data-bp null-sel-clr-base stibp-always-on
      vnmi ${zen3}`,
  },
]);
