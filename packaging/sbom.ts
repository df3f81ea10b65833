/** The bill of materials: what npm says of the packages that are shipped, and Node. The same sources give the same file. */
import { createHash } from "node:crypto";

/** What is read of a CycloneDX document, which npm writes. */
interface Sbom {
  metadata: { component: object };
  components: Record<string, unknown>[];
  dependencies: { ref: string }[];
}

/** What is in the checkout and not in the packages. */
const notShipped = /^@godwit\/(lab|test-kit)@/;

/** @param npmSbom of `npm sbom --sbom-format=cyclonedx` */
export function sbomOf(npmSbom: string, version: string, nodeVersion: string, date: Date): string {
  const sbom = JSON.parse(npmSbom) as Sbom;
  const components = sbom.components.filter((one) => !notShipped.test(String(one["bom-ref"])));
  components.push({
    type: "platform",
    name: "node",
    version: nodeVersion,
    "bom-ref": `node@${nodeVersion}`,
    purl: `pkg:generic/node@${nodeVersion}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${nodeVersion}:*:*:*:*:*:*:*`,
    licenses: [{ license: { id: "MIT" } }],
  });
  const whole = {
    ...sbom,
    metadata: {
      ...sbom.metadata,
      timestamp: date.toISOString(),
      component: {
        ...sbom.metadata.component,
        ...{ name: "godwit", version, type: "application", purl: `pkg:deb/debian/godwit@${version}` },
      },
    },
    components,
    dependencies: sbom.dependencies.filter(({ ref }) => !notShipped.test(ref)),
  };
  const digest = createHash("sha256")
    .update(JSON.stringify({ ...whole, serialNumber: "" }))
    .digest("hex");
  const serial = [
    ...[digest.slice(0, 8), digest.slice(8, 12), `5${digest.slice(13, 16)}`],
    ...[`8${digest.slice(17, 20)}`, digest.slice(20, 32)],
  ].join("-");
  return `${JSON.stringify({ ...whole, serialNumber: `urn:uuid:${serial}` }, null, 2)}\n`;
}
