/**
 * Named CPU feature sets for CPUs that have no EVC mode, or more than the highest one: Hygon's and Zhaoxin's, those of
 * desktops, and servers that are newer than VMware's modes. They are Godwit's own, and are used like modes; nothing
 * calls them EVC. Each has what all CPUs of its kind have in the CPUID dumps of InstLatx64 (commit 087af2c7), as far as
 * QEMU can show it. The rule for revisions is that of modes: a published one never changes.
 */
import { expandRows, type EvcMode, type EvcRow } from "./mode.ts";
import { amdModes } from "./modes-amd.ts";
import { intelModes } from "./modes-intel.ts";

const level = "common set";
const evidence = "dumps";

/** What QEMU's model of Zen 4 has beyond AMD's mode. */
const genoa = amdModes.find(({ key }) => key === "amd-zen4")?.cpu.remove.join(" ") ?? "";
const sapphireRapids = intelModes.find(({ key }) => key === "intel-sapphirerapids")?.cpu;
const zen5 = "avx-vnni avx512-vp2intersect movdir64b movdiri";

const amdRows: readonly EvcRow[] = [
  {
    key: "common-amd-zen5",
    revision: 1,
    level,
    label: "AMD Zen 5 servers (EPYC 9005)",
    from: "amd-zen4@1",
    adds: zen5,
    model: "EPYC-Genoa-v1",
    plus: zen5,
    minus: genoa,
    qemuSince: "8.1",
    evidence,
  },
  {
    key: "common-amd-zen5-client",
    revision: 1,
    level,
    label: "AMD Zen 5 desktops and laptops (Ryzen 9000, AI 300), which may lack PCID",
    from: "common-amd-zen5@1",
    adds: "",
    drops: "pcid cet-ss",
    model: "EPYC-Genoa-v1",
    plus: zen5,
    minus: `pcid ${genoa}`,
    qemuSince: "8.1",
    evidence,
  },
];

const skylakeClient = "clflushopt xsavec xgetbv1 xsaves xsaveopt";
const alderLake = `clwb sha-ni umip pku gfni vaes vpclmulqdq rdpid movdiri movdir64b fsrm serialize avx-vnni`;
const arrowLake = "cmpccxadd avx-ifma avx-vnni-int8 avx-ne-convert";
/** In the EVC modes of these CPUs, and not shown to guests: KVM cannot give them. */
const notForGuests = "ds monitor ss";

const intelRows: readonly EvcRow[] = [
  {
    key: "common-intel-graniterapids",
    revision: 1,
    level,
    label: "Intel Granite Rapids servers (Xeon 6 with P-cores)",
    from: "intel-sapphirerapids@1",
    adds: "amx-fp16 prefetchiti",
    hidden: `pks ${notForGuests}`,
    model: "SapphireRapids-v1",
    plus: `amx-fp16 prefetchiti ${sapphireRapids?.add.join(" ") ?? ""}`,
    minus: sapphireRapids?.remove.join(" ") ?? "",
    qemuSince: "8.0",
    evidence,
  },
  {
    key: "common-intel-skylake-client",
    revision: 1,
    level,
    label: "Intel desktops and laptops from Skylake to Comet Lake (Core 6000 to 10000)",
    from: "intel-broadwell@1",
    adds: skylakeClient,
    drops: notForGuests,
    model: "Skylake-Client-v4",
    plus: "clflushopt",
    minus: "spec-ctrl",
    evidence,
  },
  {
    key: "common-intel-icelake-client",
    revision: 1,
    level,
    label: "Intel desktops and laptops with AVX-512: Ice, Tiger and Rocket Lake",
    from: "common-intel-skylake-client@1",
    adds: `avx512f avx512dq avx512ifma avx512cd sha-ni avx512bw avx512vl avx512vbmi umip pku avx512vbmi2 gfni vaes
      vpclmulqdq avx512vnni avx512bitalg avx512-vpopcntdq rdpid fsrm`,
    model: "Icelake-Server-v5",
    plus: "xsaveopt",
    minus: "arch-capabilities clwb la57 pdpe1gb spec-ctrl ssbd wbnoinvd",
    evidence,
  },
  {
    key: "common-intel-alderlake-client",
    revision: 1,
    level,
    label: "Intel desktops and laptops with cores of two kinds: Alder, Raptor and Meteor Lake",
    from: "common-intel-skylake-client@1",
    adds: alderLake,
    model: "Skylake-Client-v4",
    plus: `clflushopt ${alderLake}`,
    minus: "spec-ctrl",
    evidence,
  },
  {
    key: "common-intel-arrowlake-client",
    revision: 1,
    level,
    label: "Intel Arrow and Lunar Lake",
    from: "common-intel-alderlake-client@1",
    adds: arrowLake,
    model: "Skylake-Client-v4",
    plus: `clflushopt ${alderLake} ${arrowLake}`,
    minus: "spec-ctrl",
    qemuSince: "8.1",
    evidence,
  },
];

const dhyana = "cr8legacy ibpb monitor npt nrip-save osvw svm topoext";

const hygonRows: readonly EvcRow[] = [
  {
    key: "common-hygon-dhyana-no-aes",
    revision: 1,
    level,
    label: "Hygon Dhyana, also the parts that are sold without AES",
    from: null,
    adds: `pni ssse3 fma cx16 sse4.1 sse4.2 movbe popcnt xsave avx f16c rdrand fsgsbase bmi1 avx2 smep bmi2 rdseed adx
      smap clflushopt xsaveopt xsavec xgetbv1 lahf-lm abm sse4a misalignsse 3dnowprefetch nx mmxext fxsr-opt pdpe1gb
      rdtscp lm clzero`,
    model: "Dhyana-v1",
    plus: "clzero",
    minus: dhyana,
    evidence,
  },
  {
    key: "common-hygon-dhyana",
    revision: 1,
    level,
    label: "Hygon Dhyana with AES",
    from: "common-hygon-dhyana-no-aes@1",
    adds: "aes pclmulqdq",
    model: "Dhyana-v1",
    plus: "aes clzero pclmulqdq",
    minus: dhyana,
    evidence,
  },
];

const zhaoxinRows: readonly EvcRow[] = [
  {
    key: "common-zhaoxin-zx",
    revision: 1,
    level,
    label: "Zhaoxin KX-5000 and KX-6000, KH-20000 and KH-30000",
    from: null,
    adds: `pni pclmulqdq ssse3 cx16 pcid sse4.1 sse4.2 movbe popcnt aes xsave avx f16c rdrand fsgsbase bmi1 smep bmi2
      invpcid rdseed adx sha-ni umip xsaveopt lahf-lm abm 3dnowprefetch nx pdpe1gb rdtscp lm`,
    model: "Broadwell-v2",
    plus: "pdpe1gb sha-ni umip",
    minus: "avx2 erms fma smap",
    evidence,
  },
  {
    key: "common-zhaoxin-yongfeng",
    revision: 1,
    level,
    label: "Zhaoxin KX-7000 and KH-40000",
    from: "common-zhaoxin-zx@1",
    adds: "avx2 fma pku rdpid",
    model: "Broadwell-v2",
    plus: "pdpe1gb pku rdpid sha-ni umip",
    minus: "erms smap",
    evidence,
  },
];

/** Every definition that was ever published. */
export const commonSetRevisions: readonly EvcMode[] = [
  ...expandRows("intel", intelRows, intelModes),
  ...expandRows("amd", amdRows, amdModes),
  ...expandRows("hygon", hygonRows),
  ...expandRows("zhaoxin", zhaoxinRows),
];
