/** What the long-running roles share: a log, signals, and the notification that they are ready. */
import { closeSync, writeSync } from "node:fs";
import { openLog, run } from "@godwit/system";
import { pino, type Logger } from "pino";

export function roleLog(role: string): Logger {
  return pino({ name: `godwit-${role}`, level: process.env.GODWIT_LOG_LEVEL ?? "info" }, openLog(1));
}

/** Aborted by the signals that ask a program to end. */
export function endSignal(): AbortSignal {
  const ended = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.on(name, () => {
      ended.abort();
    });
  }
  return ended.signal;
}

/** Notifies the program that started this one: by a pipe (GODWIT_READY_FD) or systemd. */
export function notifyReady(log: Logger): void {
  const { GODWIT_READY_FD: fd, NOTIFY_SOCKET: systemd } = process.env;
  if (fd !== undefined) {
    try {
      writeSync(Number(fd), "ready\n");
      closeSync(Number(fd));
    } catch (error) {
      log.debug({ err: error }, "no program waits on GODWIT_READY_FD");
    }
  }
  if (systemd !== undefined) {
    run("systemd-notify", ["--ready", `--pid=${String(process.pid)}`], { what: "notifying systemd" }).catch(
      (error: unknown) => {
        log.warn({ err: error }, "systemd could not be notified");
      },
    );
  }
}
