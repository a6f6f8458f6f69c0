/**
 * What follows event `after` of those still kept (`next` is the number the next one gets), and how many that followed it
 * are not kept any more. 0 asks for all there is; so does a number this timeline has not reached: it is another one's.
 */
export function resumeAfter<Event extends { readonly seq: number }>(
  kept: readonly Event[],
  next: number,
  after: number,
): { missed: number; history: readonly Event[] } {
  if (after <= 0 || after >= next) return { missed: 0, history: kept }
  const first = kept[0]?.seq ?? next
  return { missed: Math.max(0, first - after - 1), history: kept.filter(({ seq }) => seq > after) }
}
