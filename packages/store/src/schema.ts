/** The tables as the queries see them; `migrations/` makes them. */
import type {
  AccessRevoked,
  ConsolidationDecision,
  ConsolidationPolicy,
  CorrectedFigure,
  DatastoreSource,
  Finding,
  GuestResetPolicy,
  HealthPolicy,
  HostFacts,
  HostLoad,
  ImageFormat,
  Maintenance,
  PoolBalance,
  RoundMove,
  PauseReason,
  PoolRuleTerms,
  PowerController,
  PowerState,
  Task,
  TaskKind,
  TaskState,
  Vm,
  VmState,
} from "@godwit/contract";
import type { FencedHost } from "./fenced-host.ts";
import type { LoadSampleRow, VmLoadSample } from "./load-sample.ts";
import type { ColumnType, Generated, JSONColumnType, Kysely, Transaction } from "kysely";

/** Read as a Date, written as one or left to the database's clock. */
type Moment = ColumnType<Date, Date | undefined, Date>;
type MomentOrNull = ColumnType<Date | null, Date | null | undefined, Date | null>;

/** What of a task is kept as one document; the fields of its kind are a part of it. */
export type TaskBody = Pick<Task, "steps" | "error" | "waitingFor" | "cancellable"> &
  Record<string, unknown> & { result: unknown };

/** By the place in the facts: a digest; a part that is missing or null is in the facts themselves. */
export interface PartDigests {
  cpuReport?: string;
  qemu?: string;
}

export interface Schema {
  hosts: {
    name: string;
    agent_url: string;
    member_id: string;
    certificate_ends_at: MomentOrNull;
    /** Of the last one that was issued. */
    certificate_number: Generated<number>;
    /** Of the last one that the host has used. */
    certificate_in_use: Generated<number>;
    joined_at: Moment;
    seen_at: MomentOrNull;
    unreachable_reason: string | null;
    maintenance: Generated<Maintenance>;
    pool: string | null;
    alarms: JSONColumnType<Finding[], string | undefined>;
    /** Bytes per second. */
    move_bandwidth: number | null;
    datastores_known: Generated<boolean>;
    networks_known: Generated<boolean>;
  };
  host_power: {
    host: string;
    controller: JSONColumnType<PowerController>;
    sealed_password: string | null;
    wake_seconds: number;
    off_seconds: number;
    state: PowerState | null;
    state_since: MomentOrNull;
    state_pool: string | null;
    woke_at: MomentOrNull;
    pool_woke_at: MomentOrNull;
    wake_failed_at: MomentOrNull;
    wake_failure: string | null;
  };
  switches: {
    name: string;
    uplink: string | null;
    mtu: number;
    everywhere: boolean;
    /** Of VXLAN, all three or none of them. */
    vni: number | null;
    vxlan_port: number | null;
    underlay: string | null;
    created_at: Moment;
  };
  switch_hosts: { switch: string; host: string; uplink: string | null };
  networks: {
    name: string;
    switch: string;
    vlan: number;
    mtu: number | null;
    allow_forged_transmits: boolean;
    isolated_hosts: boolean;
    created_at: Moment;
  };
  images: {
    name: string;
    datastore: string;
    path: string;
    format: ImageFormat;
    bytes: number;
    virtual_bytes: number;
    sha256: string;
    origin: string;
    added_at: Moment;
  };
  datastores: {
    name: string;
    shared: boolean;
    source: JSONColumnType<DatastoreSource>;
    everywhere: boolean;
    created_at: Moment;
    reservations: Generated<boolean>;
    fence_program: string | null;
  };
  host_access: {
    datastore: string;
    host: string;
    since: Moment;
    boot_id: string | null;
    fenced: JSONColumnType<FencedHost>;
    state: AccessRevoked["state"];
    reason: string | null;
  };
  datastore_secrets: { datastore: string; id: string; sealed: string };
  datastore_hosts: {
    datastore: string;
    host: string;
    source: JSONColumnType<DatastoreSource | null, string | null>;
  };
  host_facts: {
    host: string;
    facts: JSONColumnType<HostFacts>;
    changed_at: Moment;
    parts: JSONColumnType<PartDigests, string | undefined>;
  };
  fact_parts: {
    digest: string;
    part: JSONColumnType<object>;
  };
  host_loads: {
    host: string;
    load: JSONColumnType<HostLoad>;
  };
  pools: {
    name: string;
    created_at: Moment;
    evc_mode: string | null;
    microcode: JSONColumnType<string[], string | undefined>;
    automation: Generated<PoolBalance["automation"]>;
    threshold: Generated<number>;
    goal: Generated<PoolBalance["goal"]>;
    restart_since: MomentOrNull;
    health: Generated<HealthPolicy>;
    admission: Generated<boolean>;
    guest_reset: JSONColumnType<GuestResetPolicy | null, string | null | undefined, string | null>;
    consolidation: JSONColumnType<ConsolidationPolicy | null, string | null | undefined, string | null>;
    consolidation_decision: JSONColumnType<
      ConsolidationDecision | null,
      string | null | undefined,
      string | null
    >;
    shortage_at: MomentOrNull;
    shortage: string | null;
  };
  pool_rounds: {
    pool: string;
    number: Generated<string>;
    at: Moment;
    balance: JSONColumnType<PoolBalance>;
    plan: JSONColumnType<object>;
    moves: JSONColumnType<RoundMove[]>;
    unmeasured: JSONColumnType<string[]>;
    inputs: Buffer;
  };
  pool_rules: {
    pool: string;
    name: string;
    terms: JSONColumnType<PoolRuleTerms>;
    created_at: Moment;
  };
  pool_rule_vms: { pool: string; rule: string; vm: string };
  pool_rule_hosts: { pool: string; rule: string; host: string };
  load_samples: {
    host: string;
    resolution: LoadSampleRow["resolution"];
    at: Moment;
    used_cpus: number | null;
    stolen_cpus: number | null;
    available_bytes: number | null;
    cpu_pressure: number | null;
    memory_pressure: number | null;
    vms: JSONColumnType<Record<string, VmLoadSample>>;
  };
  join_tokens: {
    secret_hash: string;
    expires_at: Date;
    used_at: MomentOrNull;
    used_by: string | null;
    host: string | null;
  };
  maintenance_stops: { vm: string; host: string; task: string };
  move_outcomes: {
    number: Generated<string>;
    task: string;
    vm: string;
    from_host: string;
    to_host: string;
    at: Moment;
    ratios: JSONColumnType<Partial<Record<CorrectedFigure, number>>>;
  };
  /** One row. */
  membership: { generation: ColumnType<string, number, number> };
  vms: {
    id: string;
    name: string;
    state: VmState;
    pause_reason: PauseReason | null;
    host: string;
    seen_at: Moment;
    /** Of the last change of place or state; grows with each. */
    changed_number: ColumnType<string, number | undefined, number>;
    config: JSONColumnType<Vm>;
  };
  tasks: {
    id: string;
    kind: TaskKind;
    subject_kind: string;
    subject_id: string;
    subject_name: string;
    state: TaskState;
    revision: Generated<number>;
    request: JSONColumnType<Record<string, unknown>>;
    body: JSONColumnType<TaskBody>;
    actor: string;
    parent: string | null;
    arrives_at: string | null;
    /** In the order in which they were entered. */
    number: Generated<string>;
    created_at: Moment;
    ended_at: MomentOrNull;
  };
  task_steps: {
    task: string;
    key: string;
    result: JSONColumnType<{ value: unknown }>;
    done_at: Moment;
  };
  task_locks: { name: string; task: string };
  events: {
    id: Generated<string>;
    at: Moment;
    type: string;
    subject_kind: string;
    subject_id: string;
    data: JSONColumnType<Record<string, unknown>>;
  };
  leases: {
    vm_id: string;
    vm_name: string;
    version: Generated<number>;
    last_exclusive_host: string | null;
    fenced: JSONColumnType<string[], string | undefined>;
    heard: JSONColumnType<Record<string, number>, string | undefined>;
  };
  lease_holders: {
    vm_id: string;
    host: string;
    mode: "EX" | "SH";
    since: Moment;
  };
}

export type Queries = Kysely<Schema>;
export type Writes = Transaction<Schema>;
