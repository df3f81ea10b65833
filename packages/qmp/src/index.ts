/** QMP: QEMU's machine protocol over a unix socket. */
export {
  argumentsSince,
  commands,
  events,
  migrationCapabilities,
  type CommandName,
  type CommandReply,
  type EventName,
  type MigrationCapability,
  type MigrationParameter,
} from "./commands.ts";
export { QmpSession, type ExecuteOptions, type QmpEvent } from "./session.ts";
