import t from 'tap'
import type { RecoveryView } from '../../src/contracts/api/recovery.ts'
import { seriousFaults } from './support/accessibility.ts'
import { noBrowser, openPage, startBrowser } from './support/browser.ts'
import { live, startFabric } from './support/fabric.ts'

// A journal that was put back after damage and lacks commits: the page says so wherever one is, until it is accepted.

const HELD: RecoveryView = {
  state: 'held',
  at: '2026-03-02T09:30:00.000Z',
  found: 'the folder is missing, its head file is there',
  aside: '/srv/vipswap/store.damaged-2026-03-02T09-30-00-000Z',
  snapshotTakenAt: '2026-03-02T09:20:00.000Z',
  commit: 4100,
  lost: { from: 4101, to: 4123 },
  stops: ['d9/web_IN_0', 'd9/web_IN_1'],
  keeps: ['d8/web_IN_0'],
  starts: [],
  silentNodes: ['node-1'],
}
const PAGES = ['', 'services/large', 'operations', 'timeline', 'nodes', 'nowhere']

t.test('a held fabric', { skip: noBrowser }, async t => {
  const browser = await startBrowser(t)

  await t.test('is said on every page, accepted by an admin, and over without a reload', async t => {
    const { api, url } = await startFabric(t)
    let recovery: RecoveryView | null = null
    let accepted = 0
    api.recovery = () => recovery
    api.acceptRecovery = async () => {
      accepted += 1
      recovery = { ...HELD, state: 'publishing' }
      return recovery
    }
    const { page, faults } = await openPage(browser, url, { viewport: { width: 390, height: 844 } })
    await live(page)
    const bar = page.getByRole('region', { name: 'recovery of the journal' })
    t.equal(await bar.count(), 0, 'nothing is said of a journal that is whole')
    recovery = HELD
    api.note('the journal was put back', '')
    await bar.getByText('the changes of commits 4101 to 4123 are lost').waitFor()
    for (const hash of PAGES) {
      await page.goto(`${url}/#/${hash}`)
      await page.locator('h1').waitFor()
      t.ok(await bar.getByText(HELD.aside).isVisible(), `on ${hash}`)
      t.ok(await page.evaluate<boolean>('document.documentElement.scrollWidth <= 390'), `${hash} fits`)
    }
    await page.emulateMedia({ colorScheme: 'light' })
    t.strictSame(await seriousFaults(page), [], 'in light')
    await page.emulateMedia({ colorScheme: 'dark' })
    t.strictSame(await seriousFaults(page), [], 'in dark')

    const dialog = page.getByRole('dialog')
    await bar.getByRole('button', { name: 'Accept what is left…' }).click()
    await dialog.getByText('Stopped, and their folders removed').waitFor()
    await dialog.getByText('d9/web_IN_0, d9/web_IN_1').waitFor()
    t.strictSame(await seriousFaults(page), [], 'the dialog')
    await dialog.getByRole('button', { name: 'Leave it held' }).click()
    t.equal(accepted, 0)
    await bar.getByRole('button', { name: 'Accept what is left…' }).click()
    await dialog.getByRole('button', { name: 'Accept', exact: true }).click()
    await bar.getByText('Proxies are being told').waitFor()
    t.equal(accepted, 1)
    recovery = { ...HELD, state: 'comparing' }
    await bar.getByText('Nodes are being told').waitFor()
    recovery = null
    await bar.waitFor({ state: 'detached' })
    t.strictSame(faults, [])
  })

  await t.test('is nothing that an operator accepts, and he reads why', async t => {
    const { api, url } = await startFabric(t, { token: 'ola:operator secret-ola' })
    api.recovery = () => ({ ...HELD, lost: { from: 4101, to: null } })
    const { page } = await openPage(browser, url)
    await page.getByLabel('Token').fill('secret-ola')
    await page.keyboard.press('Enter')
    const bar = page.getByRole('region', { name: 'recovery of the journal' })
    await bar.getByText('all changes after commit 4100 are lost').waitFor()
    const button = bar.getByRole('button', { name: 'Accept what is left…' })
    await bar.getByText('this takes the role admin, and ola has operator').waitFor({ state: 'attached' })
    t.equal(await button.getAttribute('aria-disabled'), 'true')
  })
})
