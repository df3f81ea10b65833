/** Lists that come in pages: how many at once, and where the next page begins. */
import { z } from "zod";

/** Of whole documents: a page of them takes the server some tens of milliseconds. */
const documents = { most: 1000, usual: 200 } as const;
const summaries = { most: 5000, usual: 1000 } as const;

const pageQuery = ({ most, usual }: { most: number; usual: number }) =>
  z.strictObject({
    limit: z.coerce.number().int().min(1).max(most).default(usual),
    /** The `next` of the page before; absent: the first page. */
    cursor: z.string().min(1).max(100).optional(),
  });

export const documentPageQuery = pageQuery(documents);
export const summaryPageQuery = pageQuery(summaries);

/** Where the next page begins; null: this is the last. A server of an earlier version answers everything at once. */
export const nextPageSchema = z.string().nullable().default(null);

/** Which part of a list is asked for. */
export interface PageRequest {
  limit: number;
  cursor?: string | undefined;
}
