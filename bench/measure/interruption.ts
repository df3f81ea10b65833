/** Ctrl-C for programs that own a lab: the work is given up, and the scopes around it close what they opened. */
import { GodwitError } from "@godwit/contract";

/**
 * Runs a measurement and ends the process. The work races what may take long against `interrupted`, inside of
 * the scopes that clean up. A failure is reported in its own words, never as a stack trace.
 */
export async function measure(work: (interrupted: Promise<never>) => Promise<void>): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => undefined);
  const interrupt = () => {
    reject(GodwitError.of("USAGE", { what: "Interrupted; the lab is removed.", hint: "Run it again." }));
  };
  // Not once: while a program runs, execa ends this one at a signal that nobody listens to any more.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, interrupt);
  let code = 0;
  try {
    await work(promise);
  } catch (error) {
    code = GodwitError.is(error, "USAGE") ? 2 : 1;
    console.error(error instanceof Error ? error.message : String(error));
    if (GodwitError.is(error)) console.error(`  ${error.remedy}`);
  }
  // What was given up may still wait for something of the lab.
  process.exit(code);
}
