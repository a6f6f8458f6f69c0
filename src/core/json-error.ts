/**
 * Why a text is not JSON, without a piece of the text: the engine's own message cites what stands around the place, and
 * that may be a secret.
 */
export function whyNotJson(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : 'it cannot be read'
  return message.replace(/, (\.\.\.)?"[\s\S]*$/, '')
}
