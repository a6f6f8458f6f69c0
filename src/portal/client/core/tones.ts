/** How many version colours there are; further versions begin again. */
const TONES = 4
const seen = new Map<string, Map<string, number>>()

/** The colour of a version within its service: the same on every page for as long as this one is open. */
export function toneOf(service: string, version: string): number {
  const versions = seen.get(service) ?? new Map<string, number>()
  seen.set(service, versions)
  const tone = versions.get(version) ?? versions.size % TONES
  versions.set(version, tone)
  return tone
}
