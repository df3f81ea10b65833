/** What a guest does while it moves: one file each. */

/** It works on its own, or for a client. What it has done is counted in its own unit. */
export interface Work {
  unit: "MiB" | "writes" | "files";
  /** It begins, and is at its pace soon after. @throws when the guest cannot */
  begin(guest: GuestPlace): Promise<Running>;
}

export interface Running {
  /** In the work's unit, since it began. @throws when the guest does not answer */
  done(): Promise<number>;
  /** Also of a guest that was started again, and does nothing any more. */
  end(): Promise<void>;
}

export interface GuestPlace {
  labId: string;
  address: string;
}

export interface GuestLoad {
  name: string;
  vcpus: number;
  /** What the work takes of the guest's memory. */
  mib: number;
  /** Null: it does nothing but answer its client. */
  work: Work | null;
}
