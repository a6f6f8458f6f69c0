#!/usr/bin/env node
// node client.js URL [--seconds N] [--every MS] [--json]
//
// Talks to a guestbook as a client that is out there and cannot be changed: it goes on across every upgrade, and counts
// each request that was not understood or got lost. Ends with 0 when there was none, with 1 when there was.
//
// It changes its language from what the answers tell it: each one names the instance that gave it and the languages
// that instance accepts. A language is safe once *every* instance met accepts it. One instance that answers V2 proves
// nothing: while 1.0 becomes 1.5 the next request may still reach a 1.0.
import { Agent, request as httpRequest } from 'node:http'
import { pathToFileURL } from 'node:url'

const LANGUAGES = ['V2', 'V1'] // the preferred one first
/** Answers before a first change: enough to have met every instance, with near certainty. */
const ENOUGH = 50
/** An instance not met for this long is gone, for instance scaled away. */
const FORGET_MS = 60_000

export function createTalk(url, { everyMs = 10, workers = 4, log = () => {} } = {}) {
  const agent = new Agent({ keepAlive: true, maxSockets: workers })
  const met = new Map()
  const counts = { answered: 0, failed: 0, failures: {}, byLanguage: {} }
  let language = 'V1'
  let answers = 0
  let running = true
  let serial = 0

  function ask(method, path, headers = {}, body) {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }
      const request = httpRequest(
        new URL(path, url),
        { agent, method, headers: { ...headers, ...length } },
        response => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', chunk => (text += chunk))
          response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }))
          response.on('error', reject)
        },
      )
      request.setTimeout(60_000, () => request.destroy(new Error('no answer for 60 s')))
      request.on('error', reject)
      request.end(body)
    })
  }

  /** Remembers whom it met, and speaks the preferred language that all of them accept. */
  function learn({ headers }) {
    const { 'guestbook-instance': instance, 'guestbook-accepts': accepts } = headers
    if (instance === undefined || accepts === undefined) return
    answers++
    met.set(instance, { accepts: accepts.split(', '), at: Date.now() })
    for (const [name, { at }] of met) if (Date.now() - at > FORGET_MS) met.delete(name)
    const safe = LANGUAGES.find(one => [...met.values()].every(each => each.accepts.includes(one)))
    if (answers < ENOUGH || safe === undefined || safe === language) return
    log(`all ${met.size} instances accept ${safe}: changing from ${language} to ${safe}`)
    language = safe
  }

  /** One entry written and the list read, each in the language of the moment. Answers why it failed, or null. */
  async function exchange(method) {
    const spoken = language
    const text = `hello ${++serial}`
    const headers = {
      'Guestbook-Protocol': spoken,
      'Content-Type': spoken === 'V2' ? 'application/json' : 'text/plain',
    }
    const body = spoken === 'V2' ? JSON.stringify({ name: 'client', text }) : `client: ${text}`
    const answer = await ask(method, '/entries', headers, method === 'POST' ? body : undefined)
    learn(answer)
    counts.byLanguage[spoken] = (counts.byLanguage[spoken] ?? 0) + 1
    if (answer.status >= 400) return `${answer.status} ${answer.text.trim()}`
    if (answer.headers['guestbook-protocol'] !== spoken) return `asked in ${spoken}, answered otherwise`
    const lines =
      spoken === 'V2'
        ? JSON.parse(answer.text).entries.map(entry => `${entry.name}: ${entry.text}`)
        : answer.text.split('\n').filter(line => line !== '')
    return method === 'POST' && lines[0] !== `client: ${text}` ? 'the answer is not the entry' : null
  }

  async function talk() {
    for (let i = 0; running; i++) {
      const failure = await exchange(i % 2 === 0 ? 'POST' : 'GET').catch(error => `lost: ${error.message}`)
      if (failure === null) counts.answered++
      else {
        counts.failed++
        if (counts.failures[failure] === undefined) log(`failed: ${failure}`)
        counts.failures[failure] = (counts.failures[failure] ?? 0) + 1
      }
      await new Promise(resolve => setTimeout(resolve, everyMs))
    }
  }

  async function run() {
    // Before it says anything it looks around: these need no language and count as nothing.
    for (let i = 0; i < ENOUGH && running; i++) learn(await ask('GET', '/healthz'))
    await Promise.all(Array.from({ length: workers }, talk))
    agent.destroy()
    return counts
  }

  return { counts, language: () => language, done: run(), stop: () => (running = false) }
}

async function main() {
  const args = process.argv.slice(2)
  const option = (name, fallback) => (args.includes(name) ? Number(args[args.indexOf(name) + 1]) : fallback)
  const url = args.find(arg => arg.startsWith('http'))
  if (url === undefined) {
    console.error('usage: node client.js URL [--seconds N] [--every MS] [--json]')
    process.exit(2)
  }
  const log = line => console.error(`${new Date().toISOString()} ${line}`)
  const talk = createTalk(url, { everyMs: option('--every', 10), log })
  const seconds = option('--seconds', 0)
  if (seconds > 0) setTimeout(talk.stop, seconds * 1000)
  process.once('SIGINT', talk.stop)
  process.once('SIGTERM', talk.stop)
  const { answered, failed, failures, byLanguage } = await talk.done
  if (args.includes('--json')) console.log(JSON.stringify({ answered, failed, failures, byLanguage }))
  else {
    console.log(`${answered} understood, ${failed} failed`)
    for (const [failure, times] of Object.entries(failures)) console.log(`  ${times} × ${failure}`)
  }
  process.exitCode = failed === 0 ? 0 : 1
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().catch(error => {
    console.error(`the guestbook cannot be reached: ${error.message}`)
    process.exit(1)
  })
}
