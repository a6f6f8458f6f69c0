import t from 'tap'
import { noBrowser, openPage, startBrowser } from './support/browser.ts'
import { startFabric } from './support/fabric.ts'
import { reportOf, startRolePage } from './support/role-page.ts'

// A role's own page, as a browser shows it on the road to one chosen instance.

const WHOLE = { script: 'ok', module: 'ok', style: 'ok', import: 'ok', image: 'ok', get: 'ok', put: 'ok', socket: 'ok' }
const INSTANCE = '/v1/services/large/slots/staging/instances/web_IN_0'

t.test('a page of a role works whole below a key, and gives the admin no orders', { skip: noBrowser }, async t => {
  const role = await startRolePage(t)
  const { api, url } = await startFabric(t)
  api.addresses.set('large/staging/web_IN_0/http', { host: '127.0.0.1', port: role.port })
  const { page, faults } = await openPage(await startBrowser(t), `${url}${INSTANCE}/proxy/`)
  t.match(page.url(), /\/proxy\/~[a-z2-7]{26}\/$/)
  t.strictSame(await reportOf(page), WHOLE)
  t.strictSame(faults, [])

  const crimes = await page.evaluate<Record<string, string>>(
    `globalThis.crimes(${JSON.stringify(url)}, ${JSON.stringify(`${url}${INSTANCE.replace('IN_0', 'IN_1')}/proxy/`)})`,
  )
  t.strictSame(crimes, {
    read: 'TypeError',
    sent: 'sent opaque',
    form: 'TypeError',
    other: 'TypeError',
    token: 'SecurityError',
    cookies: 'SecurityError',
  })
  t.strictSame(api.commands, [], 'the admin took no order')

  await page.getByRole('button', { name: 'Send' }).click()
  await page.getByText('the form came').waitFor()
  t.match(page.url(), /\/proxy\/~[a-z2-7]{26}\/done$/)
})
