/**
 * Ports of a test file on the loopback address. They lie below those that the kernel gives to connections, of which each may be in use
 * at any moment, and stays so for a minute after its connection has ended.
 */
export const portsOfFile = 4;

/** The first of them. */
export const firstOwnPort = 20_000 + portsOfFile * (process.pid % 3000);
