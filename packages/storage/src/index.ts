/** Datastores and the VM folders on them. */
export { Datastore, type DatastoreConfig } from "./datastore.ts";
export {
  createVm,
  deleteVm,
  readVm,
  saveVm,
  type CompletionDefaults,
  type CreateOptions,
} from "./vm-folder.ts";
