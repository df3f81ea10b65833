/** Tokens that hosts join with, each once. Only their hashes are kept. */
import { createHash, randomBytes } from "node:crypto";
import { GodwitError } from "@godwit/contract";
import { sql } from "kysely";
import type { Queries, Writes } from "./schema.ts";

/** Not used and not expired. */
const mostTokens = 5000;

const hash = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** @returns the new token's secret. Those that have expired, or were used long ago, are removed. @throws TOKENS_TOO_MANY */
export async function createToken(tx: Writes, expiresAt: Date, rejoin: string | null): Promise<string> {
  const secret = randomBytes(24).toString("base64url");
  await sql`
    delete from join_tokens where expires_at < now() - interval '1 day' or used_at < now() - interval '1 day'
  `.execute(tx);
  const { rows } = await sql<{ open: string; all: string }>`
    select count(*) filter (where used_at is null and expires_at > now()) as open, count(*) as all
    from join_tokens`.execute(tx);
  if (Number(rows[0]?.open) >= mostTokens) throw GodwitError.of("TOKENS_TOO_MANY", { most: mostTokens });
  // Of those that count no more, the oldest go first: they are kept only for a better message.
  const tooMany = Number(rows[0]?.all) - mostTokens;
  if (tooMany > 0) {
    await sql`
      delete from join_tokens where secret_hash in (
        select secret_hash from join_tokens where used_at is not null or expires_at <= now()
        order by expires_at limit ${tooMany})`.execute(tx);
  }
  await tx
    .insertInto("join_tokens")
    .values({ secret_hash: hash(secret), expires_at: expiresAt, host: rejoin })
    .execute();
  return secret;
}

/** @throws TOKEN_INVALID */
export async function checkToken(db: Queries, secret: string): Promise<void> {
  const token = await db
    .selectFrom("join_tokens")
    .selectAll()
    .where("secret_hash", "=", hash(secret))
    .executeTakeFirst();
  requireValid(token);
}

/** Uses a token up. @returns whether it is of a host that joins again. @throws TOKEN_INVALID */
export async function useToken(tx: Writes, secret: string, host: string): Promise<{ rejoins: boolean }> {
  const token = await tx
    .selectFrom("join_tokens")
    .selectAll()
    .where("secret_hash", "=", hash(secret))
    .forUpdate()
    .executeTakeFirst();
  requireValid(token);
  if (token.host !== null && token.host !== host)
    throw GodwitError.of("TOKEN_INVALID", { reason: "of another host" });
  await tx
    .updateTable("join_tokens")
    .set({ used_at: new Date(), used_by: host })
    .where("secret_hash", "=", token.secret_hash)
    .execute();
  return { rejoins: token.host !== null };
}

function requireValid<Token extends { used_at: Date | null; expires_at: Date }>(
  token: Token | undefined,
): asserts token is Token {
  if (token === undefined) throw GodwitError.of("TOKEN_INVALID", { reason: "unknown" });
  if (token.used_at !== null) throw GodwitError.of("TOKEN_INVALID", { reason: "used" });
  if (token.expires_at.getTime() < Date.now()) throw GodwitError.of("TOKEN_INVALID", { reason: "expired" });
}
