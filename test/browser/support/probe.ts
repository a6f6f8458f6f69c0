import type { Page } from 'playwright-core'

/** Runs in every page under test, before its own script: `probe` looks from within. Script text, since here is no DOM. */
export const PROBE = `
globalThis.probe = (() => {
  const lines = new Map()
  let usable = null
  let before = null
  let changed = null
  const ill = () => document.querySelector('.tile[data-status="UnresponsiveRole"]')?.title ?? null
  new MutationObserver(() => {
    if (usable === null && document.querySelector('.tile') !== null) usable = performance.now()
    for (const line of document.querySelectorAll('[data-seq]')) {
      const seq = Number(line.dataset.seq)
      if (!lines.has(seq)) lines.set(seq, Date.now())
    }
    if (changed === null && ill() !== before) changed = Date.now()
  }).observe(document, { childList: true, subtree: true, attributes: true })
  return {
    usableAt: () => usable,
    watch: () => {
      before = ill()
      changed = null
    },
    shownAt: seq => (lines.has(seq) && changed !== null ? { event: lines.get(seq), state: changed } : null),
    lines: () => [...lines],
    drop: (selector, name, base64) => {
      const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0))
      const transfer = new DataTransfer()
      transfer.items.add(new File([bytes], name))
      for (const type of ['dragover', 'drop']) {
        const event = new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer })
        document.querySelector(selector).dispatchEvent(event)
      }
    },
  }
})()
`

/** Milliseconds from the start of the navigation until instances were shown. */
export async function usableAt(page: Page): Promise<number> {
  return page.evaluate<number>('probe.usableAt()')
}

/** From now on, notes when another instance than now is shown as unresponsive. */
export async function watchState(page: Page): Promise<void> {
  await page.evaluate('probe.watch()')
}

/** When (`Date.now()`) an event's line and the watched change were shown; null until both are. */
export async function shownAt(page: Page, seq: number): Promise<{ event: number; state: number } | null> {
  return page.evaluate<{ event: number; state: number } | null>(`probe.shownAt(${seq})`)
}

/** When (`Date.now()`) the line of each event was shown first, by the event's number. */
export async function shownLines(page: Page): Promise<Map<number, number>> {
  return new Map(await page.evaluate<[number, number][]>('probe.lines()'))
}

/** Drops a file on what `selector` finds, as from a folder of the machine. */
export async function dropFile(page: Page, selector: string, name: string, content: Buffer): Promise<void> {
  const given = [selector, name, content.toString('base64')].map(text => JSON.stringify(text)).join(', ')
  await page.evaluate(`probe.drop(${given})`)
}
