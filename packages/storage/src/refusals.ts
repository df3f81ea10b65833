/** What a storage answers that does not let root give files away: NFS that squashes root, or knows no such uid. */
export const refusals: readonly string[] = [
  ...["EPERM", "EACCES", "EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EOVERFLOW"],
];
