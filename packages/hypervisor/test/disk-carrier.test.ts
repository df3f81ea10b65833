/** Disks of a real QEMU are mirrored to a QEMU of another host, over NBD with TLS, and the VM's memory follows. */
import { execFileSync } from "node:child_process";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { until } from "@godwit/system";
import { describe, expect, inject, test } from "vitest";
import { DiskCarrier, offerDisks, withdrawDisks } from "../src/index.ts";
import { destinationSettings, Fixture, ports, sourceSettings, user } from "./fixtures.ts";

const address = "127.0.0.1";

describe.each(inject("qemuBinaries"))("%s", (binary) => {
  test("a mirrored image is the same when its mirror has ended, and as sparse; its guest goes on from it", async () => {
    await using fixture = await Fixture.make(binary);
    execFileSync("qemu-io", ["-c", "write -q -P 7 1M 1M", fixture.diskPath]);
    const there = join(fixture.folder, "there.qcow2");
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", there, "16M"]);
    execFileSync("chown", [`${user}:`, there]);
    const source = await (await fixture.hypervisor("a")).start(fixture.spec(false));
    await using _source = { [Symbol.asyncDispose]: () => source.end() };
    const incoming = { ...fixture.spec(true), diskPaths: { data: there } };
    const destination = await (await fixture.hypervisor("b")).start(incoming);
    await using _destination = { [Symbol.asyncDispose]: () => destination.end() };

    await destination.migration.configure(destinationSettings);
    await destination.migration.secureDestination({
      credentials: await fixture.credentials("b"),
      sourceName: "a",
    });
    const disksPort = await offerDisks(destination, { host: "b", address, ports });
    const port = await destination.migration.listen(address, ports);
    expect(port).not.toBe(disksPort);

    const carrier = new DiskCarrier(source);
    expect(await carrier.sizes()).toEqual({ data: 16 << 20 });
    expect(await carrier.look()).toMatchObject({ status: "none" });
    const place = { address, port: disksPort, destinationName: "b" };
    // Another host's certificate is no permission to write.
    await source.migration.configureSource({
      settings: sourceSettings(1000),
      credentials: await fixture.credentials("c"),
      destinationName: "b",
    });
    await expect(carrier.start(place, null)).rejects.toMatchObject({ code: "QMP_REFUSED" });
    await carrier.cancel();
    expect(await carrier.tidy()).toBe(true);

    await source.migration.configureSource({
      settings: sourceSettings(1000),
      credentials: await fixture.credentials("a"),
      destinationName: "b",
    });
    await carrier.start(place, null);
    const isReady = async () => (await carrier.look()).status === "ready";
    expect(await until(isReady, { everyMs: 20, limitMs: 60_000 })).toBe(true);
    expect(await carrier.look()).toMatchObject({ error: null, totalBytes: 16 << 20 });

    await source.migration.start(address, port);
    const isPaused = async () => (await source.migration.query()).status === "pre-switchover";
    expect(await until(isPaused, { everyMs: 20, limitMs: 60_000 })).toBe(true);
    await carrier.end();
    expect(await until(() => carrier.haveEnded(), { everyMs: 5, limitMs: 60_000 })).toBe(true);
    expect(await carrier.tidy()).toBe(true);
    await source.migration.continueSwitchover();
    const hasArrived = async () => (await destination.migration.query()).status === "completed";
    expect(await until(hasArrived, { everyMs: 20, limitMs: 60_000 })).toBe(true);
    await withdrawDisks(destination);
    await withdrawDisks(destination);
    await destination.resume();
    await destination.end();
    execFileSync("qemu-img", ["compare", "-q", "-U", fixture.diskPath, there]);
    execFileSync("qemu-io", ["-r", "-c", "read -P 7 1M 1M", there]);
    expect((await stat(there)).blocks * 512).toBeLessThan(4 << 20);
  });

  test("cancelled, nothing is left of it at the source; with its destination gone it says why", async () => {
    await using fixture = await Fixture.make(binary);
    const there = join(fixture.folder, "there.qcow2");
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", there, "16M"]);
    execFileSync("chown", [`${user}:`, there]);
    execFileSync("qemu-io", ["-c", "write -q -P 7 0 16M", fixture.diskPath]);
    const source = await (await fixture.hypervisor("a")).start(fixture.spec(false));
    await using _source = { [Symbol.asyncDispose]: () => source.end() };
    const incoming = { ...fixture.spec(true), diskPaths: { data: there } };
    const destination = await (await fixture.hypervisor("b")).start(incoming);
    await using _destination = { [Symbol.asyncDispose]: () => destination.end() };
    await destination.migration.secureDestination({
      credentials: await fixture.credentials("b"),
      sourceName: "a",
    });
    const disksPort = await offerDisks(destination, { host: "b", address, ports });
    await source.migration.configureSource({
      settings: sourceSettings(1000),
      credentials: await fixture.credentials("a"),
      destinationName: "b",
    });
    const carrier = new DiskCarrier(source);
    const place = { address, port: disksPort, destinationName: "b" };
    const slowly = 1 << 20;
    await carrier.start(place, slowly);
    await carrier.cancel();
    expect(await until(() => carrier.tidy(), { everyMs: 20, limitMs: 60_000 })).toBe(true);
    expect(await carrier.look()).toMatchObject({ status: "none" });

    await carrier.start(place, slowly);
    await destination.kill();
    const isOver = async () => (await carrier.look()).status === "over";
    expect(await until(isOver, { everyMs: 20, limitMs: 60_000 })).toBe(true);
    expect((await carrier.look()).error).toMatch(/./);
    expect(await carrier.tidy()).toBe(true);
    expect(await source.status()).toMatchObject({ status: "prelaunch" });
  });
});
