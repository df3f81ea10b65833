/** All that the server keeps, over one database. */
import type pg from "pg";
import { Database, type Writer } from "./database.ts";
import { Datastores } from "./datastores.ts";
import { Events } from "./events.ts";
import { HostAccess } from "./host-access.ts";
import { HostPowers } from "./host-power.ts";
import { Hosts } from "./hosts.ts";
import { Images } from "./images.ts";
import { Leases } from "./leases.ts";
import { LoadSamples } from "./load-samples.ts";
import { MaintenanceStops } from "./maintenance-stops.ts";
import { Members } from "./members.ts";
import { MoveOutcomes } from "./move-outcomes.ts";
import { Networks } from "./networks.ts";
import { PoolPolicies } from "./pool-policies.ts";
import { PoolRounds } from "./pool-rounds.ts";
import { PoolRules } from "./pool-rules.ts";
import { Pools } from "./pools.ts";
import { ServerGeneration } from "./server-generation.ts";
import { Switches } from "./switches.ts";
import { Tasks } from "./tasks.ts";
import { VmUsers } from "./vm-users.ts";
import { Vms } from "./vms.ts";

export class Store {
  readonly hosts: Hosts;
  readonly maintenanceStops: MaintenanceStops;
  readonly powers: HostPowers;
  readonly members: Members;
  readonly datastores: Datastores;
  readonly access: HostAccess;
  readonly images: Images;
  readonly switches: Switches;
  readonly networks: Networks;
  readonly pools: Pools;
  readonly poolPolicies: PoolPolicies;
  readonly poolRules: PoolRules;
  readonly poolRounds: PoolRounds;
  readonly moveOutcomes: MoveOutcomes;
  readonly vms: Vms;
  readonly vmUsers: VmUsers;
  readonly tasks: Tasks;
  readonly events: Events;
  readonly leases: Leases;
  readonly loads: LoadSamples;
  readonly generation: ServerGeneration;
  readonly #database: Database;

  private constructor(database: Database, writer: Writer | null) {
    this.#database = database;
    this.maintenanceStops = new MaintenanceStops(database);
    this.members = new Members(database);
    this.datastores = new Datastores(database);
    this.access = new HostAccess(database);
    this.images = new Images(database);
    this.switches = new Switches(database);
    this.networks = new Networks(database);
    this.pools = new Pools(database);
    this.poolPolicies = new PoolPolicies(database);
    this.poolRules = new PoolRules(database);
    this.poolRounds = new PoolRounds(database);
    this.moveOutcomes = new MoveOutcomes(database);
    const vms = new Vms(database);
    this.vms = vms;
    this.vmUsers = new VmUsers(database);
    this.powers = new HostPowers(database);
    this.hosts = new Hosts(database, () => vms.nextChange());
    this.tasks = new Tasks(database);
    this.events = new Events(database);
    this.leases = new Leases(database);
    this.loads = new LoadSamples(database);
    this.generation = new ServerGeneration(database, writer);
  }

  /**
   * @param writer the database's lock, as this program holds it; without it nobody else may write
   * @throws DATABASE_UNAVAILABLE, DATABASE_NEWER
   */
  static async open(connection: pg.ClientConfig, writer?: Writer): Promise<Store> {
    const store = new Store(await Database.open(connection, writer), writer ?? null);
    await store.vms.open();
    await store.generation.open();
    return store;
  }

  async close(): Promise<void> {
    await this.events.close();
    await this.#database.close();
  }
}
