import t from 'tap'
import { buildAdmin } from '../../../src/admin/server.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { FakeController } from './fake-controller.ts'

const PAGE = { accept: 'text/html,application/xhtml+xml', host: '127.0.0.1:9090' }

t.test('the page is served to browsers, under a strict policy, and text to others', async t => {
  const { app, close } = buildAdmin({ api: new FakeController(), port: 0, log: silentLogger() })
  t.teardown(close)
  const page = await app.inject({ url: '/', headers: PAGE })
  t.match(page.headers, { 'content-type': /^text\/html/, 'cache-control': 'no-store', vary: 'accept' })
  const policy = String(page.headers['content-security-policy'])
  t.match(policy, /default-src 'none'/)
  t.match(policy, /frame-ancestors 'none'/)
  t.notMatch(policy, /unsafe|https?:|\*/)
  t.notMatch(page.body, /<script(?![^>]*src=)|<style|style=|\son\w+=/, 'nothing inline')
  const text = await app.inject({ url: '/', headers: { accept: '*/*', host: PAGE.host } })
  t.match(text.headers['content-type'], /^text\/plain/)
})

t.test('its files have names of their content, and are kept for good', async t => {
  const { app, close } = buildAdmin({ api: new FakeController(), port: 0, log: silentLogger() })
  t.teardown(close)
  const { body } = await app.inject({ url: '/', headers: PAGE })
  const files = [...body.matchAll(/(?:src|href)="(\/portal\/[^"]+)"/g)].map(([, path]) => path ?? '')
  t.equal(files.length, 4)
  for (const url of files) {
    t.match(url, /-[\dA-Za-z]{8}\.(?:js|css|svg)$/)
    const file = await app.inject({ url, headers: { host: PAGE.host } })
    t.match(file, { statusCode: 200, headers: { 'cache-control': /immutable/, 'x-content-type-options': 'nosniff' } })
    t.match(file.headers['content-type'], url.endsWith('.js') ? /javascript/ : url.endsWith('.css') ? /css/ : /svg/)
    t.notMatch(file.body, /https?:\/\/(?!www\.w3\.org\/)[\w.-]+\.\w/, `${url} names no other origin`)
  }
  for (const name of ['index.html', '..%2f..%2fbuild.js', 'none.js']) {
    t.match(await app.inject({ url: `/portal/${name}`, headers: { host: PAGE.host } }), { statusCode: 404 }, name)
  }
})

t.test('a token guards the API, not the page that asks for it', async t => {
  const { app, close } = buildAdmin({ api: new FakeController(), port: 0, token: 's3cret', log: silentLogger() })
  t.teardown(close)
  t.match(await app.inject({ url: '/', headers: PAGE }), { statusCode: 200 })
  t.match(await app.inject({ url: '/v1/services', headers: PAGE }), { statusCode: 401 })
  t.match(await app.inject({ url: '/metrics', headers: PAGE }), { statusCode: 401 })
  t.match(await app.inject({ url: '/portal/../v1/services', headers: PAGE }), { statusCode: 401 })
})
