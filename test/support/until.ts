const SCALE = Number(process.env['TEST_TIMEOUT_SCALE'] ?? 1)

/** Long enough for a machine that does other work too; nobody waits so long where all is well. */
export const PATIENCE_MS = 30_000

/**
 * Polls `probe` until it gives something truthy, and answers that. Fails after `timeoutMs` with the last value or
 * error seen, so that a hang says what it hung on.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  { timeoutMs = PATIENCE_MS, intervalMs = 10 } = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs * SCALE
  let last: unknown
  for (;;) {
    try {
      const value = await probe()
      if (value) return value
      last = value
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline) {
      const seen = last instanceof Error ? last.message : JSON.stringify(last)
      throw new Error(`waited ${timeoutMs} ms until ${what}; last seen: ${seen}`)
    }
    await new Promise(resolve => {
      setTimeout(resolve, intervalMs)
    })
  }
}
