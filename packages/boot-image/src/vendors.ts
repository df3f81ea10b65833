/** Vendors that the report treats each in its own way, as CPUID spells them; all others are alike. */
export const vendors = ["GenuineIntel", "AuthenticAMD", "HygonGenuine"] as const;
