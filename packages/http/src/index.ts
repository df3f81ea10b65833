/** The contract's operations over HTTPS: for the server and for agents. */
export { mount, type Call, type Handler, type Handlers, type SocketHandler } from "./mount.ts";
export { authorise, identify, type Actor, type Authority } from "./privileges.ts";
export { forward } from "./forward.ts";
export { keepAlive, mountSockets } from "./sockets.ts";
export { askPinned, plainFingerprint, type JsonAnswer, type PinnedService } from "./pinned-json.ts";
export { HttpServer, type ListenAddress, type TlsIdentity } from "./server.ts";
