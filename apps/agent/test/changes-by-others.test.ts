/** What is told as done by something else on the host, and what the agent did itself. */
import { expect, test } from "vitest";
import { changesByOthers } from "../src/networks/changes-by-others.ts";

const defined = "definitions";
const applied = (more: object) => ({ refused: [], changed: [], exposed: [], ...more });
const far = (reason: string) => [{ switch: "far", reason }];
const made = far("tunnel gx-100 was missing");

test("a tunnel that was refused and is made now was nobody's change; one that was applied and is missing is", () => {
  expect(changesByOthers(null, defined, applied({ changed: made }))).toEqual([]);
  const after = (refused: string[], definitions = defined) =>
    changesByOthers({ definitions, refused }, defined, applied({ changed: made }));
  // Its underlay got its address, or nft was installed.
  expect(after(["far"])).toEqual([]);
  expect(after([], "others")).toEqual([]);
  const told = far(
    "tunnel gx-100 was missing, which its agent has put right: something else on the host changes it",
  );
  expect(after([])).toEqual(told);
  expect(after(["near"])).toEqual(told);
});

test("a tunnel that is smaller because its underlay is was nobody's change, and so when that grows again", () => {
  const changed = far("tunnel gx-100 had an MTU of 1450");
  const refused = far("its link eth0 carries packets of 1400 bytes");
  expect(
    changesByOthers({ definitions: defined, refused: [] }, defined, applied({ changed, refused })),
  ).toEqual([]);
  expect(changesByOthers({ definitions: defined, refused: ["far"] }, defined, applied({ changed }))).toEqual(
    [],
  );
});

test("a limit on senders that was removed is told even where the switch is refused", () => {
  const exposed = far("anybody could send into it");
  const refused = far("its MTU");
  const last = { definitions: defined, refused: ["far"] };
  expect(changesByOthers(last, defined, applied({ exposed, refused }))).toEqual(exposed);
});
