/** The library of images: added by a task, listed from the inventory, deleted with their files. */
import { type serverOperations } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { chooseKnownHost } from "../moves/choose-host.ts";
import type { Services } from "../services.ts";
import { ableTo } from "./able-to.ts";

type ImageOperations = Pick<typeof serverOperations, "imageList" | "imageShow" | "imageAdd" | "imageDelete">;

export function imageHandlers(services: Services): Handlers<ImageOperations> {
  const { store, hosts, tasks } = services;
  const hostWith = (datastores: readonly string[], named?: string) =>
    chooseKnownHost(services, { datastores: [...datastores], nics: [] }, named);
  return {
    imageList: async () => ({ images: await store.images.list() }),
    imageShow: async ({ params }) => await store.images.show(params.image),

    imageAdd: async ({ body }) => {
      await store.images.mustBeNew(body.name);
      const { datastore, from } = body;
      const host = await hostWith([datastore, ...("url" in from ? [] : [from.datastore])], body.host);
      ableTo("images", await store.hosts.list(), host);
      return await tasks.start({ kind: "image.add", request: { ...body, host } });
    },

    imageDelete: async ({ params }) => {
      const image = await store.images.show(params.image);
      const { datastore, path } = image;
      const link = hosts.of(await hostWith([datastore]));
      await link.agent.call("imageDelete", { query: { datastore, path } }).catch((error: unknown) => {
        throw link.unreachable(error);
      });
      await store.images.remove(image);
      return undefined;
    },
  };
}
