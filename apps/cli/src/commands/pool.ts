/** `godwit pool …`: hosts that share one CPU baseline and their load. */
import { buildRouteMap } from "@stricli/core";
import { addHostCommand } from "./pool/add-host.ts";
import { applyCommand } from "./pool/apply.ts";
import { createCommand } from "./pool/create.ts";
import { deleteCommand } from "./pool/delete.ts";
import { evcCommand } from "./pool/evc.ts";
import { explainCommand } from "./pool/explain.ts";
import { listCommand } from "./pool/list.ts";
import { planCommand } from "./pool/plan.ts";
import { recommendationsCommand } from "./pool/recommendations.ts";
import { removeHostCommand } from "./pool/remove-host.ts";
import { restartsCommand } from "./pool/restarts.ts";
import { ruleRoutes } from "./pool/rule.ts";
import { setCommand } from "./pool/set.ts";
import { showCommand } from "./pool/show.ts";
import { updateCommand } from "./pool/update.ts";
import { summaries } from "../summaries.ts";

export const poolRoutes = buildRouteMap({
  routes: {
    list: listCommand,
    show: showCommand,
    create: createCommand,
    delete: deleteCommand,
    addHost: addHostCommand,
    removeHost: removeHostCommand,
    evc: evcCommand,
    rule: ruleRoutes,
    set: setCommand,
    recommendations: recommendationsCommand,
    apply: applyCommand,
    restarts: restartsCommand,
    update: updateCommand,
    plan: planCommand,
    explain: explainCommand,
  },
  docs: { brief: summaries.pool.brief },
});
