import { existsSync } from 'node:fs'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { PROBE } from './probe.ts'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Why browser tests cannot run here; false where they can. */
export const noBrowser: string | false = chromiumPath() === null ? 'needs chromium (apt-get install chromium)' : false

/** A headless Chromium, closed when the test ends. */
export async function startBrowser(t: Pick<Test, 'teardown'>): Promise<Browser> {
  const browser = await launchBrowser()
  t.teardown(async () => browser.close())
  return browser
}

export async function launchBrowser(): Promise<Browser> {
  const environment = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      // The test runner's own wishes for every Node process are none of the browser's.
      value === undefined || name === 'NODE_OPTIONS' ? [] : [[name, value]],
    ),
  )
  return chromium.launch({
    executablePath: chromiumPath() ?? '',
    env: environment,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  })
}

/** A fresh page, which fails the test for anything it throws or that its policy forbids. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; faults: string[] }> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  await context.addInitScript({ content: PROBE })
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', error => faults.push(error.message))
  page.on('console', message => {
    // A refused or unanswered call is told in the console whatever the page makes of it.
    if (message.type() === 'error' && !/Failed to load resource|net::ERR_/.test(message.text()))
      faults.push(message.text())
  })
  await page.goto(url)
  return { page, faults }
}

function chromiumPath(): string | null {
  return PLACES.find(path => existsSync(path)) ?? null
}
