/** QMP: QEMU's machine protocol over a unix socket. */
export { commands, events, type CommandName, type CommandReply, type EventName } from "./commands.ts";
export { QmpSession, type ExecuteOptions, type QmpEvent } from "./session.ts";
