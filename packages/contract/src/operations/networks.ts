/** Virtual switches and port groups, a part of the server's API. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import {
  networkChangesSchema,
  networkViewSchema,
  newNetworkSchema,
  newSwitchSchema,
  switchChangesSchema,
  switchViewSchema,
} from "../schemas/network.ts";
import type { Operations } from "./operation.ts";

const switchParams = z.strictObject({ switch: z.string().min(1).max(63) });
const networkParams = z.strictObject({ network: z.string().min(1).max(63) });

export const networkOperations = {
  switchList: {
    method: "GET",
    path: "/api/v1/switches",
    privilege: "admin",
    summary: "All virtual switches: as they are defined, and as each host has them",
    answer: { status: 200, body: z.object({ switches: z.array(switchViewSchema) }) },
    errors: [],
  },
  switchShow: {
    method: "GET",
    path: "/api/v1/switches/{switch}",
    privilege: "admin",
    summary: "One virtual switch",
    params: switchParams,
    answer: { status: 200, body: switchViewSchema },
    errors: ["SWITCH_UNKNOWN"],
  },
  switchAdd: {
    method: "POST",
    path: "/api/v1/switches",
    privilege: "admin",
    summary: "Define a virtual switch, or define it for further hosts; agents apply it",
    body: newSwitchSchema,
    answer: { status: 201, body: switchViewSchema },
    errors: ["HOST_UNKNOWN", "SWITCH_EXISTS", "SWITCH_VNI_TAKEN", "SWITCH_MTU_ABOVE_UNDERLAY"],
  },
  switchSet: {
    method: "PATCH",
    path: "/api/v1/switches/{switch}",
    privilege: "admin",
    summary:
      "Change a virtual switch on all of its hosts, also while VMs are connected to it; agents apply it",
    params: switchParams,
    body: switchChangesSchema,
    answer: { status: 200, body: switchViewSchema },
    errors: ["SWITCH_UNKNOWN", "NETWORK_MTU_ABOVE_SWITCH", "SWITCH_MTU_ABOVE_UNDERLAY"],
  },
  switchRemove: {
    method: "DELETE",
    path: "/api/v1/switches/{switch}",
    privilege: "admin",
    summary: "Remove a virtual switch, or that of one host",
    params: switchParams,
    query: z.strictObject({ host: nameSchema.optional() }),
    answer: { status: 204 },
    errors: ["SWITCH_UNKNOWN", "SWITCH_IN_USE", "HOST_UNKNOWN"],
  },
  networkList: {
    method: "GET",
    path: "/api/v1/networks",
    privilege: "admin",
    summary: "All port groups: as they are defined, and as each host has them",
    answer: { status: 200, body: z.object({ networks: z.array(networkViewSchema) }) },
    errors: [],
  },
  networkShow: {
    method: "GET",
    path: "/api/v1/networks/{network}",
    privilege: "admin",
    summary: "One port group",
    params: networkParams,
    answer: { status: 200, body: networkViewSchema },
    errors: ["NETWORK_UNKNOWN"],
  },
  networkAdd: {
    method: "POST",
    path: "/api/v1/networks",
    privilege: "admin",
    summary: "Define a port group on a virtual switch; agents apply it",
    body: newNetworkSchema,
    answer: { status: 201, body: networkViewSchema },
    errors: [
      "SWITCH_UNKNOWN",
      "NETWORK_EXISTS",
      "NETWORK_VLAN_TAKEN",
      "NETWORK_VLAN_IN_VXLAN",
      "NETWORK_MTU_ABOVE_SWITCH",
    ],
  },
  networkSet: {
    method: "PATCH",
    path: "/api/v1/networks/{network}",
    privilege: "admin",
    summary: "Change a port group on all hosts, also while VMs are connected to it; agents apply it",
    params: networkParams,
    body: networkChangesSchema,
    answer: { status: 200, body: networkViewSchema },
    errors: [
      "NETWORK_UNKNOWN",
      "NETWORK_OF_HOSTS",
      "NETWORK_VLAN_TAKEN",
      "NETWORK_VLAN_IN_VXLAN",
      "NETWORK_MTU_ABOVE_SWITCH",
    ],
  },
  networkRemove: {
    method: "DELETE",
    path: "/api/v1/networks/{network}",
    privilege: "admin",
    summary: "Remove a port group",
    params: networkParams,
    answer: { status: 204 },
    errors: ["NETWORK_UNKNOWN", "NETWORK_OF_HOSTS", "NETWORK_IN_USE"],
  },
} as const satisfies Operations;
