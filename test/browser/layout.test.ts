import t, { type Test } from 'tap'
import { startAdmin } from '../../src/admin/server.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { FakeController } from '../integration/admin/fake-controller.ts'
import { noBrowser, openPage, startBrowser } from './support/browser.ts'
import { live } from './support/fabric.ts'

// What people really write: long names and versions, and as many upgrade domains as a definition may have.

const NAME = 'a-service-with-a-rather-long-name-that-somebody-chose'
const VERSION = '1.0.0-rc.1+build.20261121.1436.abcdef0123'
const DOMAINS = 20

/** What runs as script where a page puts text together as markup. */
const HOSTILE = `"><img src=x onerror="globalThis.ran=1"><script>globalThis.ran=1</script>`

async function start(t: Test): Promise<string> {
  const api = new FakeController()
  api.ending = 'Succeeded'
  api.addService(NAME, { production: VERSION, staging: '1.0.0' })
  const [like] = api.deployment(NAME, 'production')?.instances ?? []
  if (like === undefined) throw new Error('no instance')
  const instances = Array.from({ length: DOMAINS }, (_, i) => ({ ...like, id: `web_IN_${i}`, upgradeDomain: i }))
  const size = { version: VERSION, size: null, cores: 1, instances: DOMAINS, ready: DOMAINS }
  const role = { name: 'web', kind: 'web' as const, ...size, endpoints: [], certificates: [] }
  api.change(NAME, 'production', { roles: [role], instances })
  await api.submit({ kind: 'swap', service: NAME, phase: 'prepare' }, {})
  const admin = await startAdmin({ api, port: 0, log: silentLogger() })
  t.teardown(() => admin.close())
  return admin.url
}

t.test('long names and many domains fit', { skip: noBrowser }, async t => {
  const browser = await startBrowser(t)
  const url = await start(t)
  for (const width of [1280, 390]) {
    const { page } = await openPage(browser, url, { viewport: { width, height: 844 } })
    for (const hash of ['', `services/${NAME}`, 'operations', 'timeline', 'nodes']) {
      await page.goto(`${url}/#/${hash}`)
      await page.locator('h1').waitFor()
      await live(page)
      const wider = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
      t.ok(wider <= 0, `${hash} at ${width}: ${wider} px too wide`)
    }
    await page.goto(`${url}/#/services/${NAME}`)
    await page.locator('[data-slot="production"] .tile').last().waitFor()
    const hidden = await page.evaluate<string[]>(`
      [...document.querySelectorAll('[data-slot="production"] .grid thead th[scope="col"]:not(.grid-corner)')]
        .filter(head => head.scrollWidth > head.clientWidth)
        .map(head => head.textContent)
    `)
    t.strictSame(hidden, [], `at ${width} no heading runs into the next`)
    const scrolls = await page.evaluate<number>(`
      (box => box.scrollWidth - box.clientWidth)(document.querySelector('[data-slot="production"] .grid-box'))
    `)
    if (width === 1280) t.equal(scrolls, 0, 'all domains are in sight beside the other slot')
    else t.ok(scrolls > 0, 'where they cannot be, the grid scrolls, and not the page')
    await page.close()
  }
})

t.test('what is written into names, labels and logs stays text', { skip: noBrowser }, async t => {
  const name = `shop${HOSTILE}`
  const api = new FakeController()
  api.addService(name, { production: HOSTILE, staging: HOSTILE })
  const [like] = api.deployment(name, 'production')?.instances ?? []
  if (like === undefined) throw new Error('no instance')
  const instances = [{ ...like, version: HOSTILE, detail: HOSTILE, node: HOSTILE }]
  api.change(name, 'production', { label: HOSTILE, instances })
  api.logPieces = [`${HOSTILE}\n`]
  api.note(HOSTILE, name)
  const { operationId } = await api.submit({ kind: 'swap', service: name }, {})
  const admin = await startAdmin({ api, port: 0, log: silentLogger() })
  t.teardown(() => admin.close())
  const browser = await startBrowser(t)
  const { page, faults } = await openPage(browser, admin.url)
  const service = `services/${encodeURIComponent(name)}`
  for (const hash of [
    '',
    service,
    `${service}/production/${like.id}`,
    `operations/${operationId}`,
    'timeline',
    'nodes',
    HOSTILE,
  ]) {
    await page.goto(`${admin.url}/#/${hash}`)
    await page.locator('h1').waitFor()
    await live(page)
    t.equal(await page.evaluate<number>('document.images.length + document.scripts.length'), 2, hash)
  }
  await page.goto(`${admin.url}/#/${service}/production/${like.id}`)
  await page.getByText(HOSTILE).first().waitFor()
  for (const path of ['api', `v1/services/${encodeURIComponent(name)}`, encodeURIComponent(HOSTILE)]) {
    await page.goto(`${admin.url}/${path}?${encodeURIComponent(HOSTILE)}`)
    t.equal(await page.evaluate<number>('document.images.length + document.scripts.length'), 0, path)
  }
  t.equal(await page.evaluate('globalThis.ran'), undefined)
  t.strictSame(faults, [])
})
