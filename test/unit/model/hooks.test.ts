import t from 'tap'
import { loadFabricConfig } from '../../../src/model/load-fabric-config.ts'

const load = (text: string) => loadFabricConfig('vipswap.yaml', text, () => null)
const faults = (text: string): string[] => {
  const result = load(text)
  return 'faults' in result ? result.faults.map(({ message }) => message) : []
}

t.test('hooks have defaults, and a service has its own', async t => {
  const result = load(`hooks:
  pre-swap: { command: [./check, now] }
  post-swap: { url: "http://127.0.0.1:9000/done", timeout: 5s }
services:
  shop:
    hooks:
      confirm-domain: { url: "http://127.0.0.1:9000/may", method: GET, interval: 1s }
`)
  if ('faults' in result) throw new Error(JSON.stringify(result.faults))
  t.strictSame(result.config.hooks, {
    'pre-swap': { kind: 'command', command: ['./check', 'now'], timeoutMs: 30_000, intervalMs: 10_000 },
    'post-swap': {
      kind: 'url',
      url: 'http://127.0.0.1:9000/done',
      method: 'POST',
      timeoutMs: 5000,
      intervalMs: 10_000,
    },
  })
  t.match(result.config.services['shop']?.hooks, { 'confirm-domain': { method: 'GET', intervalMs: 1000 } })
})

for (const [text, fault] of [
  ['hooks: { pre-swap: {} }', /hooks\.pre-swap.*neither command nor url/],
  ['hooks: { pre-swap: { command: [a], url: "http://b" } }', /both command and url/],
  ['hooks: { pre-swap: { command: [a], method: GET } }', /method without url/],
  ['hooks: { pre-swap: { command: [a], interval: 1s } }', /nothing is asked twice/],
  ['hooks: { pre-swap: { command: echo } }', /hooks\.pre-swap\.command/],
  ['hooks: { before-swap: { command: [a] } }', /unknown key "before-swap"/],
  ['services: { shop: { hooks: { post-swap: { url: "ftp://x" } } } }', /services\.shop\.hooks\.post-swap\.url/],
] as const) {
  t.test(`fault: ${text}`, async t => {
    t.match(faults(text).join('\n'), fault)
  })
}
