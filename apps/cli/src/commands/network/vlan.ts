/** A VLAN as it is given to commands. */
export function vlanOf(text: string): number {
  const number = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number <= 4094)) throw new Error("must be a VLAN from 1 to 4094, or 0 for frames without a tag");
  return number;
}
