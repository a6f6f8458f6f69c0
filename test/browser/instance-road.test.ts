import type { Page } from 'playwright-core'
import t from 'tap'
import { noBrowser, openPage, startBrowser } from './support/browser.ts'
import { startFabric } from './support/fabric.ts'
import { reportOf, startRolePage } from './support/role-page.ts'

// A role's own page, as a browser shows it on the road to one chosen instance.

const WHOLE = { script: 'ok', module: 'ok', style: 'ok', import: 'ok', image: 'ok', get: 'ok', put: 'ok', socket: 'ok' }
const INSTANCE = '/v1/services/large/slots/staging/instances/web_IN_0'
const OTHER = INSTANCE.replace('IN_0', 'IN_1')

t.test('a page of a role works whole, and gives the admin no orders', { skip: noBrowser }, async t => {
  const role = await startRolePage(t)
  const { api, url } = await startFabric(t)
  api.addresses.set('large/staging/web_IN_0/http', { host: '127.0.0.1', port: role.port })
  const { page, faults } = await openPage(await startBrowser(t), `${url}${INSTANCE}/proxy/`)
  const key = /^http:\/\/([a-z2-7]{26})\.localhost:\d+\/$/.exec(page.url())?.[1] ?? ''
  const crimes = async (): Promise<Record<string, string>> =>
    page.evaluate(`globalThis.crimes(${JSON.stringify(url)}, ${JSON.stringify(`${url}${OTHER}/proxy/`)})`)
  const refused = { read: 'TypeError', sent: 'sent opaque', form: 'TypeError', other: 'TypeError' }

  await t.test('under a name of its own, by relative URLs and by absolute paths', async t => {
    t.strictSame(await reportOf(page), WHOLE)
    await sendForm(page)
    t.match(page.url(), `http://${key}.localhost:`)
    await page.goto(new URL('/rooted', page.url()).href)
    t.strictSame(await reportOf(page), WHOLE)
    t.strictSame(faults, [])
    t.strictSame(await crimes(), { ...refused, token: 'null', cookies: 'seen=1' }, 'with its own cookies only')
    await sendForm(page)
  })

  await t.test('in its sandbox, by relative URLs', async t => {
    await page.goto(`${url}${INSTANCE}/proxy/~${key}/`)
    t.strictSame(await reportOf(page), WHOLE)
    t.strictSame(
      faults.filter(text => !text.includes(`${url}/v1/services`)),
      [],
    )
    t.strictSame(await crimes(), { ...refused, token: 'SecurityError', cookies: 'SecurityError' })
    await sendForm(page)
    t.match(page.url(), `${url}${INSTANCE}/proxy/~${key}/done`)
  })

  await t.test('from the portal, in a tab that has no hold of it', async t => {
    await page.goto(`${url}/#/services/large/staging/web_IN_0`)
    const [tab] = await Promise.all([
      page.waitForEvent('popup'),
      page.getByRole('button', { name: 'Open', exact: true }).click(),
    ])
    await tab.waitForURL(/^http:\/\/[a-z2-7]{26}\.localhost:\d+\/$/)
    t.strictSame(await reportOf(tab), WHOLE)
    t.equal(await tab.evaluate('globalThis.opener'), null)
    await page.goto(`${url}/#/services/large/staging/worker_IN_0`)
    const button = page.getByRole('button', { name: 'Open', exact: true })
    await page.getByText('its role has no http endpoint').waitFor({ state: 'attached' })
    t.equal(await button.getAttribute('aria-disabled'), 'true')
  })

  t.strictSame(api.commands, [], 'the admin took no order')
})

async function sendForm(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Send' }).click()
  await page.getByText('the form came').waitFor()
}
