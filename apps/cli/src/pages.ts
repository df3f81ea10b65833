/** Lists come from the server in pages: all of one, however long it is. */

/** @param read a page; the first without a cursor */
export async function everyPage<Page extends { next: string | null }, Row>(
  read: (query: { cursor?: string }) => Promise<Page>,
  rowsOf: (page: Page) => readonly Row[],
): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | null = null;
  do {
    const page: Page = await read(cursor === null ? {} : { cursor });
    rows.push(...rowsOf(page));
    cursor = page.next;
  } while (cursor !== null);
  return rows;
}
