import { readFile, writeFile, readdir } from "node:fs/promises";
import { TestLab } from "@godwit/test-kit";
await writeFile("/proc/sys/vm/unprivileged_userfaultfd", "1");
const lab = await TestLab.start({ hosts: ["a", "b"] });
try {
  await lab.boot({ on: "a" });
  const t = await lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b", strategy: "postcopy", bandwidthMbps: 40 } });
  const dec = (x) => x.move?.decisions.map((d) => d.text).join("; ") ?? "";
  await lab.until(t.id, (x) => /what is left/.test(dec(x)));
  console.log("serving");
  const mode = process.argv[2];
  if (mode === "cut") {
    for (const [f, to] of [["a", "b"], ["b", "a"]]) await lab.lab.setPath("migration", f, to, false);
    await lab.until(t.id, (x) => /made anew/.test(dec(x)));
    console.log("broken");
    await new Promise((r) => setTimeout(r, Number(process.argv[3] ?? 500)));
    for (const [f, to] of [["a", "b"], ["b", "a"]]) await lab.lab.setPath("migration", f, to, true);
  } else if (mode === "agents") {
    await Promise.all(["a", "b"].map((host) => lab.lab.endAgent(host)));
    await Promise.all(["a", "b"].map((host) => lab.lab.startAgent(host)));
  }
  const e = await Promise.race([lab.ended(t), new Promise((r) => setTimeout(r, 60000, null))]);
  console.log(e?.state, e?.error?.detail, dec(e ?? {}));
} catch (e) { console.log("ERR", e.message); }
finally {
  for (const h of ["a", "b"]) { console.log("== agent", h); console.log((await readFile(lab.lab.logOf(`agent-${h}`), "utf8")).split("\n").filter((l) => /move|QEMU|VM /.test(l)).slice(-14).map((l) => l.replace(/"record":.*?"msg"/, '"msg"').slice(0, 500)).join("\n")); }
  await lab[Symbol.asyncDispose]();
}
