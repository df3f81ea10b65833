/** Why a part of a host's load is not known. */
import type { HostLoad } from "@godwit/contract";

export const failureOf = ({ failures }: HostLoad, part: string): string =>
  failures.find((failure) => failure.part === part)?.reason ?? "its agent did not say why";
