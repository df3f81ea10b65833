/** What is known of hosts and VMs: what was written down, and the lines to ask over. */
import type { Store } from "@godwit/store";
import type { HostLinks } from "./hosts/host-links.ts";

export interface Inventory {
  store: Store;
  hosts: HostLinks;
}
