/** What is shown of a host that was fenced at a datastore. */
import type { DatastoreOnHost, DatastoreView } from "@godwit/contract";
import { expect, test } from "vitest";
import { datastoreText } from "../src/output/datastore-view.ts";

function shownOf(isBootKnown?: boolean): string {
  const source = { kind: "nfs", server: "filer", path: "/export/vms" } as const;
  const revoked: DatastoreOnHost["revoked"] = {
    ...{ state: "revoked", since: "2026-01-01T00:00:00.000Z", reason: null },
    ...(isBootKnown === undefined ? {} : { isBootKnown }),
  };
  const on: DatastoreOnHost = {
    ...{ host: "b", state: "unknown", desired: source, actual: null, id: null, reason: null, space: null },
    ...{ readOnly: null, latencyMs: null, leases: null, reservations: null, revoked },
  };
  const view: DatastoreView = {
    ...{ name: "vms", shared: true, source, everyHost: true, createdAt: "2026-01-01T00:00:00.000Z" },
    ...{ reservations: false, fenceProgram: "filer-1", hosts: [on], vms: [] },
  };
  return datastoreText(view);
}

test("how it gets its access back: by its restart, or by an operator after it", () => {
  const command = "godwit datastore restore vms --host b --host-was-restarted";
  for (const shown of [shownOf(true), shownOf()])
    expect(shown).toContain(`It gets it back when it reports after a restart, or by: ${command}`);
  expect(shownOf(false)).toContain(`Which boot was fenced is not known: restart it, and then: ${command}`);
});
