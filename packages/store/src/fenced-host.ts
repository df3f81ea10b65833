/** What a fence program knows a host by. */
export interface FencedHost {
  name: string;
  /** By which the server calls its agent. */
  agent: string;
  /** Those of its migration network. */
  migration: string[];
  /** All others that it has, or had when it was fenced, without their networks. */
  addresses: string[];
  /** By which its QEMU logs in to iSCSI targets. */
  initiator: string;
}
