/**
 * What a guest has from its network, over moves there and back: its DHCP lease is renewed without a new one being asked for, its
 * multicast group goes on to reach it, and others find its IPv6 address. A DHCP server, the client's neighbour table and the answers
 * to a multicast are the proof.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { firstOf, unpackPackages, withLibraries } from "@godwit/debian";
import { clientAddress, vmAddress } from "@godwit/lab";
import { run, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

const params = { vm: "web-1" };
const prefix = clientAddress.slice(0, clientAddress.lastIndexOf("."));
const [leased, group] = [`${prefix}.111`, "239.77.1.2"];
const [client6, guest6] = ["fd00:87:3::fa", "fd00:87:3::b"];

/** Takes a lease and renews it every two seconds, joins the group (IP_ADD_MEMBERSHIP is 35) and answers its sender, and has an IPv6 address. */
const userData = `#!/bin/sh
echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6
echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
ip address add ${guest6}/64 dev eth0
cat >/tmp/lease <<'SCRIPT'
#!/bin/sh
[ "$1" = bound ] && ip address add "$ip/24" dev eth0
echo >/tmp/answered
SCRIPT
chmod +x /tmp/lease
udhcpc -f -i eth0 -s /tmp/lease &
lease=$!
perl -e '
use Socket;
socket(S, PF_INET, SOCK_DGRAM, 17); bind(S, sockaddr_in(5007, INADDR_ANY));
setsockopt(S, 0, 35, inet_aton("${group}") . inet_aton("${vmAddress(0)}")) or die $!;
while (1) { my $from = recv(S, my $text, 100, 0); send(S, $text, 0, $from); }
' &
# Asked again before it has an answer, udhcpc starts over with a DISCOVER.
while :; do sleep 2; [ -e /tmp/answered ] && rm /tmp/answered && kill -USR1 $lease; done
`;

/** Asks the group until somebody in it answers. */
const askGroup = `
const socket = require("node:dgram").createSocket("udp4");
socket.on("message", (_text, { address }) => { console.log(address); process.exit(0); });
socket.bind(0, "${clientAddress}", () => {
  socket.setMulticastInterface("${clientAddress}");
  setInterval(() => socket.send("who is there", 5007, "${group}"), 200);
});
setTimeout(() => process.exit(1), 60000);
`;

test("a guest's DHCP lease, its multicast group and its IPv6 address outlast moves", async () => {
  const work = await mkdtemp(join(tmpdir(), "godwit-dhcp-"));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(work, { recursive: true }));
  await unpackPackages(await withLibraries(["dnsmasq-base"]), join(work, "root"));
  const lab = stack.use(await TestLab.start({ hosts: ["a", "b"] }));
  const inClient = ["netns", "exec", lab.lab.namespace("client")];
  await run("ip", [...inClient, "ip", "-6", "address", "add", `${client6}/64`, "dev", "office", "nodad"], {
    what: "giving the client an IPv6 address",
  });
  const dhcp = stack.use(await dhcpServer(join(work, "root"), inClient, work));

  await lab.boot({ on: "a", cloudInit: { userData } });
  await using load = await lab.load();
  await dhcp.renews();
  const asked = dhcp.discovers();
  const reaches = async () => {
    const words = { what: "asking for the guest", timeoutMs: 90_000 };
    const { stdout } = await run("ip", [...inClient, process.execPath, "-e", askGroup], words);
    expect(stdout.trim().startsWith(`${prefix}.`)).toBe(true);
    // Nobody remembers where it was: its neighbours ask the multicast group of its address.
    await run("ip", [...inClient, "ip", "-6", "neighbour", "flush", "dev", "office"], words);
    await run("ip", [...inClient, "ping", "-6", "-n", "-q", "-c", "3", "-i", "0.2", guest6], words);
  };
  await reaches();
  for (const to of ["b", "a", "b"]) {
    await lab.succeeded(lab.api.call("vmMigrate", { params, body: { to, maxOutageMs: 2000 } }));
    await dhcp.renews();
    await reaches();
  }
  expect(dhcp.discovers()).toBe(asked);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
});

interface DhcpServer extends AsyncDisposable {
  /** Waits for a renewal from now on. */
  renews: () => Promise<void>;
  /** How often a lease was asked for. */
  discovers: () => number;
}

async function dhcpServer(root: string, inClient: readonly string[], work: string): Promise<DhcpServer> {
  let said = "";
  const count = (word: string) => said.split(word).length - 1;
  const program = await firstOf(root, ["usr/sbin/dnsmasq"]);
  const child = spawn(
    "ip",
    [
      ...[...inClient, program, "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root"],
      ...[
        "--interface=office",
        "--bind-interfaces",
        `--dhcp-range=${leased},${leased},2m`,
        "--log-facility=-",
      ],
      ...[`--dhcp-leasefile=${join(work, "leases")}`, `--pid-file=${join(work, "pid")}`],
    ],
    {
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        PATH: process.env["PATH"] ?? "",
        LD_LIBRARY_PATH: `${root}/usr/lib/x86_64-linux-gnu:${root}/lib/x86_64-linux-gnu`,
      },
    },
  );
  child.stderr.on("data", (text: Buffer) => (said += text.toString("utf8")));
  return {
    renews: async () => {
      const before = count(`DHCPACK(office) ${leased}`);
      const isRenewed = () => Promise.resolve(count(`DHCPACK(office) ${leased}`) > before);
      expect(await until(isRenewed, { everyMs: 100, limitMs: 120_000 }), said).toBe(true);
    },
    discovers: () => count("DHCPDISCOVER"),
    async [Symbol.asyncDispose]() {
      const closed = once(child, "close");
      child.kill();
      await closed;
    },
  };
}
