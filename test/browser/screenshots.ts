import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Page } from 'playwright-core'
import { startSystem, smallPackage } from '../system/support/system.ts'
import { startSteadyLoad } from '../system/support/steady-load.ts'
import { until } from '../support/until.ts'
import { launchBrowser, openPage } from './support/browser.ts'
import { dropFile } from './support/probe.ts'

// Writes pictures of the portal, in both themes and at both widths, into a folder for a person to look at:
// node dist/test/browser/screenshots.js [FOLDER]. The system behind it is a real one under load.

const folder = resolve(process.argv[2] ?? 'screenshots')
mkdirSync(folder, { recursive: true })
const teardowns: (() => unknown)[] = []
const t = { teardown: (run: () => unknown): void => void teardowns.unshift(run) }

const SERVER = `
const http = require('node:http')
const version = process.env.ROLE_VERSION
console.log('guestbook ' + version + ' listens on ' + process.env.PORT)
let answered = 0
setInterval(() => console.log('answered ' + answered + ' requests so far'), 2000)
const base = version === '1.0.0' ? 3 : 2
http.createServer((request, response) => {
  answered += 1
  setTimeout(() => response.end(version), base + Math.random() * (Math.random() < 0.02 ? 30 : 3))
}).listen(process.env.PORT, process.env.HOST)
`
const WORKER = `
  mailer:
    command: node worker.js
    instances: 3
`

try {
  await run()
} finally {
  for (const teardown of teardowns) await teardown()
}

async function run(): Promise<void> {
  const system = await startSystem(t, { nodes: 2 })
  const make = (version: string): string => {
    const path = smallPackage(t, { name: 'guestbook', version, instances: 5, server: SERVER, extra: WORKER })
    writeFileSync(join(path, 'worker.js'), `console.log('${version} mails'); setInterval(() => {}, 1000)`)
    return path
  }
  await system.cli('deploy', make('1.0.0'), '--label', 'spring')
  await system.cli('deploy', make('1.5.0'), '--slot', 'staging', '--label', 'faster answers')
  const production = startSteadyLoad(await system.url('guestbook', 'production'), 6)
  teardowns.unshift(async () => production.stop())
  const staging = startSteadyLoad(await system.url('guestbook', 'staging'), 1)
  teardowns.unshift(async () => staging.stop())
  const browser = await launchBrowser()
  teardowns.unshift(async () => browser.close())

  const pages: { name: string; page: Page }[] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      const viewport = { width, height: width === 390 ? 844 : 900 }
      const { page } = await openPage(browser, `${system.admin}/#/services/guestbook`, { viewport, colorScheme })
      pages.push({ name: `${width}-${colorScheme}`, page })
    }
  }
  const shoot = async (what: string, fullPage = true): Promise<void> => {
    for (const { name, page } of pages) await page.screenshot({ path: join(folder, `${what}-${name}.png`), fullPage })
  }
  const everywhere = async (hash: string): Promise<void> => {
    for (const { page } of pages) {
      await page.goto(`${system.admin}/${hash}`)
      await page.locator('h1').waitFor()
    }
  }
  await sleep(20_000)
  await shoot('service')
  for (const { page } of pages) {
    await page.keyboard.press('s')
    await page.getByText('Nothing speaks against it').or(page.locator('.callout')).first().waitFor()
  }
  await shoot('swap-dialog', false)
  const first = pages[0]?.page
  await first?.getByRole('button', { name: 'Swap', exact: true }).click()
  await first?.locator('.notice-good').waitFor()
  await sleep(6000)
  for (const { page } of pages.slice(1)) await page.keyboard.press('Escape')
  await shoot('swapped')
  const next = make('2.0.0')
  const broken = make('2.0.1')
  writeFileSync(
    join(broken, 'service.yaml'),
    'name: guestbook\nversion: 2.0.1\nroles:\n  web:\n    command: 7\n    instances: many\n',
  )
  for (const [what, archive, shown] of [
    ['plan', pack(next), '.moves'],
    ['faults', pack(broken), '.faults'],
  ] as const) {
    for (const { page } of pages) {
      await dropFile(page, '[data-slot="production"]', 'guestbook.tar.gz', archive)
      await page.locator(shown).waitFor()
    }
    await shoot(what, false)
    for (const { page } of pages) await page.keyboard.press('Escape')
  }
  await system.client.upgrade('guestbook', 'production', {
    package: (await system.client.uploadPackage(pack(next), 'gzip')).digest,
    policy: { healthCheckStableDuration: '5s' },
  })
  await until(
    'two domains are done',
    async () => {
      const status = (await system.client.deployment('guestbook', 'production')).upgradeStatus
      return status?.verified.length === 2
    },
    { timeoutMs: 60_000 },
  )
  // Taking the pictures takes its time.
  await system.client.changeUpgrade('guestbook', 'production', { policy: { healthCheckStableDuration: '60s' } })
  await until(
    'the third domain is watched',
    async () => {
      const status = (await system.client.deployment('guestbook', 'production')).upgradeStatus
      return status?.clocks.some(({ name, elapsedMs }) => name === 'stable' && elapsedMs > 9000)
    },
    { timeoutMs: 60_000 },
  )
  await shoot('walking')
  // For the README: the slots and the first charts.
  for (const { name, page } of pages.filter(({ name }) => name.startsWith('1280'))) {
    const clip = { x: 0, y: 0, width: 1280, height: 1120 }
    await page.screenshot({ path: join(folder, `readme-${name.slice(5)}.png`), fullPage: true, clip })
  }
  await system.client.rollback('guestbook', 'production')
  await sleep(1500)
  await shoot('rollback')
  await everywhere('#/services/guestbook/production/web_IN_0')
  await sleep(1000)
  await shoot('instance', false)
  await everywhere('#/')
  await sleep(500)
  await shoot('services')
  const swap = (await system.client.operations({ service: 'guestbook' })).find(({ kind }) => kind === 'swap')
  await everywhere(`#/operations/${swap?.id ?? ''}`)
  await sleep(500)
  await shoot('receipt')
  for (const page of ['operations', 'timeline', 'nodes']) {
    await everywhere(`#/${page}`)
    await sleep(300)
    await shoot(page, false)
  }
}

function pack(folder: string): Buffer {
  return execFileSync('tar', ['-C', folder, '-cz', '.'])
}

/** Charts need time to have something to show; nothing is checked here. */
function sleep(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms)
  })
}
