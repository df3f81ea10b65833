/** What can be done with a lab that runs. */
import type { Lab } from "@godwit/lab";

/** For people who were left with a running lab. */
export function nextSteps(lab: Lab, vm?: string): string[] {
  return [
    "",
    `The lab ${lab.id} runs: hosts ${lab.hosts.map(({ name }) => name).join(", ")}; API ${lab.apiUrl}`,
    `  admin token ${lab.server.folder}/admin-token, authority ${lab.server.folder}/pki/ca-cert.pem, logs ${lab.folder}/logs`,
    "Go on with:",
    `  export GODWIT_LAB=${lab.id}`,
    "  ./godwit host list",
    ...(vm === undefined ? [] : [`  ./godwit vm show ${vm}`, `  ./godwit vm migrate ${vm} --to b`]),
    "  ./godwit task list",
    `  ./godwit lab down --id ${lab.id}`,
  ];
}
