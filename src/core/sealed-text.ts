/** How a secret value looks wherever it is kept: `sealed:1:KEY:…`, made and opened by a seal key (seal-key.ts). */
export const SEALED_PREFIX = 'sealed:1:'

export function isSealed(text: string): boolean {
  return text.startsWith(SEALED_PREFIX)
}
