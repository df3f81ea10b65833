/** The programs as services: started without installing anything, the server without root's rights. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "@godwit/system";
import { afterAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const program = join(root, "apps/cli/src/godwit.js");
const folder = mkdtempSync(join(tmpdir(), "godwit-service-"));
chmodSync(folder, 0o755);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test("a service whose dependencies are missing installs nothing, says what to do, and is not tried again", () => {
  const checkout = join(folder, "checkout");
  mkdirSync(join(checkout, "scripts"), { recursive: true });
  for (const file of ["godwit", "scripts/bootstrap.sh", "package-lock.json"]) {
    copyFileSync(join(root, file), join(checkout, file));
  }
  const started = spawnSync("bash", [join(checkout, "godwit"), "server", "run"], {
    encoding: "utf8",
    env: { PATH: process.env.PATH ?? "", GODWIT_NO_INSTALL: "1" },
  });
  expect(started).toMatchObject({ status: 78, stdout: "" });
  expect(started.stderr).toBe(
    `godwit: Node 24 or the npm dependencies of ${checkout} are missing or not of this version; run ${checkout}/godwit setup\n`,
  );
  for (const name of ["godwit-server", "godwit-agent"]) {
    const unit = readFileSync(join(root, `packaging/systemd/${name}.service`), "utf8");
    expect(unit).toMatch(/^Environment=GODWIT_NO_INSTALL=1$/m);
    expect(unit).toMatch(/^RestartPreventExitStatus=78$/m);
  }
});

test("the agent has the rights that it needs to show a file of the host to a program that runs, and to hide it again", async () => {
  const unit = readFileSync(join(root, "packaging/systemd/godwit-agent.service"), "utf8");
  const rights = [...unit.matchAll(/^CapabilityBoundingSet=(.*)$/gm)]
    .flatMap(([, names = ""]) => names.split(" "))
    .map((name) => `+${name.replace("CAP_", "").toLowerCase()}`);
  const shown = join(folder, "shown");
  writeFileSync(shown, "");
  const running = spawn("unshare", ["--mount", "sleep", "1000"], { stdio: "ignore" });
  const ended = once(running, "exit");
  const pid = String(running.pid);
  const namespaceOf = (of: string) => readlinkSync(`/proc/${of}/ns/mnt`);
  await until(() => namespaceOf(pid) !== namespaceOf("self"), { everyMs: 5, limitMs: 60_000 });
  const mounted = () => readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(` ${shown} `);
  const does = (how: string) =>
    spawnSync(
      "setpriv",
      [
        ...[`--bounding-set=-all,${rights.join(",")}`, "--no-new-privs", "--", "perl"],
        ...[join(root, "packages/hypervisor/src/show-file.pl"), pid, how, shown],
      ],
      { encoding: "utf8" },
    ).stderr;
  try {
    expect([does("show"), mounted()]).toEqual(["", true]);
    expect([does("hide"), mounted()]).toEqual(["", false]);
  } finally {
    running.kill("SIGKILL");
    await ended;
  }
});

/** As `User=` and `CapabilityBoundingSet=` of the unit do it. */
const nobody = [
  "--reuid=65534",
  "--regid=65534",
  "--clear-groups",
  "--bounding-set=-all",
  "--no-new-privs",
  "--",
];

test("the server's certificate has the names that clients call, keeps them when it is renewed, and gets others", () => {
  const data = join(folder, "named");
  const godwit = (...words: string[]) =>
    spawnSync(process.execPath, [program, "server", ...words, "--data", data], { encoding: "utf8" });
  const names = () => /names and addresses +(.*)/.exec(godwit("certificate", "show").stdout)?.[1];
  expect(godwit("init", "--name", "godwit.example.com", "--address", "10.0.1.2").status).toBe(0);
  const first =
    "DNS:godwit-server, DNS:godwit.example.com, DNS:localhost, IP:10.0.1.2, IP:127.0.0.1, IP:0:0:0:0:0:0:0:1";
  expect(names()).toBe(first);
  expect(godwit("certificate", "renew").status).toBe(0);
  expect(names()).toBe(first);
  expect(godwit("certificate", "renew", "--name", "a_b").stderr).toMatch(/"a_b" is not a name/);
  expect(godwit("certificate", "renew", "--name", "other").status).toBe(0);
  expect(names()).toBe("DNS:godwit-server, DNS:other, DNS:localhost, IP:127.0.0.1, IP:0:0:0:0:0:0:0:1");
  // Unless others are given: this machine's own.
  const own = spawnSync(process.execPath, [program, "server", "init", "--data", join(folder, "own")], {
    encoding: "utf8",
  });
  expect(own.stdout).toContain(hostname());
});

const withPasswd = 'mount --bind "$0" /etc/passwd && exec "$@"';

test("the server and its database run as a user without any rights, and refuse a folder that is not its own", async () => {
  const data = join(folder, "data");
  expect(spawnSync(process.execPath, [program, "server", "init", "--data", data]).status).toBe(0);
  const run = [process.execPath, program, "server", "run", "--data", data, "--listen", "127.0.0.1:0"];
  const readable = spawnSync("setpriv", [...nobody, "test", "-r", program]).status === 0;
  if (!readable) throw new Error(`${root} must be readable to everyone for this test`);
  const refused = spawnSync("setpriv", [...nobody, ...run], { encoding: "utf8", cwd: "/" });
  expect(refused.status).toBe(2);
  expect(refused.stderr).toMatch(/does not belong to the user that is to run the server/);

  spawnSync("chown", ["--recursive", "65534:65534", data]);
  // The machine of an installation from packages has no user for the database of a server that root runs.
  const passwd = join(folder, "passwd");
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  writeFileSync(passwd, lines.filter((line) => !line.startsWith("godwit-db:")).join("\n"));
  const server = spawn("unshare", ["--mount", "sh", "-c", withPasswd, passwd, "setpriv", ...nobody, ...run], {
    cwd: "/",
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    let said = "";
    for await (const chunk of server.stdout) {
      said += String(chunk);
      if (said.includes("server ready")) break;
    }
    expect(said).toContain("server ready");
    const status = readFileSync(`/proc/${String(server.pid)}/status`, "utf8");
    expect(status).toMatch(/^Uid:\s65534/m);
    expect(status).toMatch(/^CapBnd:\s0+$/m);
  } finally {
    server.kill("SIGTERM");
    await once(server, "exit");
  }
});
