/**
 * What the help of the whole program says of each group of commands, so that none of their files need be loaded for it.
 * A test holds it against the commands that there are.
 */
export const summaries = {
  vm: {
    brief: "VMs: create, start, stop, pause, check, migrate, snapshots, console, lease",
    commands: [
      "list",
      "show",
      "create",
      "clone",
      "import",
      "export",
      "register",
      "registerAll",
      "unregister",
      "set",
      "setCpu",
      "cdrom",
      "snapshot",
      "start",
      "stop",
      "pause",
      "resume",
      "reset",
      "check",
      "migrate",
      "console",
      "ip",
      "lease",
      "delete",
    ],
  },
  host: {
    brief: "Hosts: join, list, show, maintenance, power, remove",
    commands: ["list", "show", "token", "join", "maintenance", "power", "renewQemu", "set", "remove"],
  },
  datastore: {
    brief: "Datastores: define, list, show, browse, remove, mark new storage",
    commands: ["list", "show", "browse", "add", "remove", "init"],
  },
  image: {
    brief: "The library of images: add, list, show, delete",
    commands: ["list", "show", "add", "delete"],
  },
  switch: {
    brief: "Virtual switches: bridges of the hosts with their uplinks",
    commands: ["list", "show", "add", "set", "remove"],
  },
  network: {
    brief: "Port groups on virtual switches: VLAN, MTU, MAC addresses",
    commands: ["list", "show", "add", "set", "remove"],
  },
  pool: {
    brief: "Pools: hosts that share one CPU baseline and their load",
    commands: [
      "list",
      "show",
      "create",
      "delete",
      "addHost",
      "removeHost",
      "evc",
      "rule",
      "set",
      "recommendations",
      "apply",
      "restarts",
      "update",
      "plan",
      "explain",
    ],
  },
  cpu: {
    brief: "CPUs: report, compare, masks, EVC baselines",
    commands: ["bootImage", "baseline", "compare", "evc", "report", "features", "mask"],
  },
  task: {
    brief: "Tasks: list, show, watch, set, cancel",
    commands: ["list", "show", "watch", "set", "cancel"],
  },
  server: { brief: "The control plane", commands: ["init", "run", "certificate", "ca", "backup", "restore"] },
  agent: { brief: "The agent, which runs on each host", commands: ["run"] },
  lab: { brief: "A cluster on this machine, for trials and tests", commands: ["up", "down", "status"] },
} as const satisfies Record<string, { brief: string; commands: readonly string[] }>;
