/** The images of the library. Each has a file of its own, whose name no other image ever has. */
import { GodwitError, type ImageView } from "@godwit/contract";
import { isDuplicate, type Database } from "./database.ts";
import { emit } from "./events.ts";

export class Images {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** In order of their names. */
  async list(): Promise<ImageView[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom("images").selectAll().orderBy("name").execute(),
    );
    return rows.map(({ virtual_bytes: virtualBytes, added_at: addedAt, ...row }) => ({
      ...row,
      virtualBytes,
      addedAt: addedAt.toISOString(),
    }));
  }

  /** @throws LIBRARY_IMAGE_UNKNOWN */
  async show(name: string): Promise<ImageView> {
    const all = await this.list();
    const found = all.find((image) => image.name === name);
    if (found !== undefined) return found;
    throw GodwitError.of("LIBRARY_IMAGE_UNKNOWN", { image: name, known: all.map((one) => one.name) });
  }

  /** @throws LIBRARY_IMAGE_EXISTS */
  async mustBeNew(name: string): Promise<void> {
    const found = (await this.list()).find((image) => image.name === name);
    if (found !== undefined)
      throw GodwitError.of("LIBRARY_IMAGE_EXISTS", { image: name, datastore: found.datastore });
  }

  /** The same again changes nothing. @throws LIBRARY_IMAGE_EXISTS */
  async enter(image: Omit<ImageView, "addedAt">): Promise<ImageView> {
    const { virtualBytes, ...row } = image;
    try {
      await this.#database.write(async (tx) => {
        await tx
          .insertInto("images")
          .values({ ...row, virtual_bytes: virtualBytes })
          .execute();
        const { name: id, datastore, origin } = image;
        await emit(tx, {
          type: "image.added",
          subject: { kind: "image", id },
          data: { datastore, origin },
        });
      });
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      const found = await this.show(image.name);
      if (found.path !== image.path || found.datastore !== image.datastore)
        throw GodwitError.of(
          "LIBRARY_IMAGE_EXISTS",
          { image: image.name, datastore: found.datastore },
          { cause: error },
        );
    }
    return await this.show(image.name);
  }

  /** Its file is gone. Another image of the name, which was added since, stays. */
  async remove({ name, datastore, path }: Pick<ImageView, "name" | "datastore" | "path">): Promise<void> {
    await this.#database.write(async (tx) => {
      const gone = await tx
        .deleteFrom("images")
        .where("name", "=", name)
        .where("path", "=", path)
        .returning("name")
        .executeTakeFirst();
      if (gone === undefined) return;
      await emit(tx, { type: "image.deleted", subject: { kind: "image", id: name }, data: { datastore } });
    });
  }
}
