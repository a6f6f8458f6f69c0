import { spawn } from 'node:child_process'
import { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { request } from 'undici'
import { errorMessage } from '../../core/errors.ts'
import type { HookFacts, TaskReport } from '../../contracts/task.ts'
import type { Hook } from '../../model/hooks.ts'

/** Output that is kept, of its end. */
const MAX_OUTPUT = 1000
/** From SIGTERM to SIGKILL. */
const KILL_MS = 2000
/** For what a command wrote before its exit. */
const REST_MS = 200
/** Of the environment of the controller; nothing else of it is passed on. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'TZ'] as const

/**
 * Begins nothing before its controller has noted the process and said so: one that is killed in between leaves a shell that
 * ends by itself.
 */
const WAIT_FOR_WORD = 'read -r _ <&3 || exit 1; exec 3<&-; exec "$@"'

/** Told the pid of a hook's process before that does anything; the answer is called once it has ended. */
export type Began = (pid: number) => () => void

type Answer = { readonly kind: 'yes' | 'not-yet' | 'no'; readonly detail: string }

/**
 * Runs a hook until it has an answer. Of one that is asked once everything but yes is a failure; a confirmation is asked
 * again after `intervalMs` until it says yes or no. Resolves without a word when `signal` ends it.
 */
export async function runHook(
  hook: Hook,
  work: { readonly facts: HookFacts; readonly retry: boolean },
  report: (report: TaskReport) => void,
  signal: AbortSignal,
  began: Began = () => () => undefined,
): Promise<void> {
  while (!signal.aborted) {
    const { kind, detail } = await askOnce(hook, work.facts, signal, began)
    if (signal.aborted) return
    if (kind !== 'not-yet' || !work.retry) {
      report({ kind: 'done', ok: kind === 'yes', detail })
      return
    }
    report({ kind: 'waiting', detail })
    await delay(hook.intervalMs, undefined, { signal }).catch(() => undefined)
  }
}

function askOnce(hook: Hook, facts: HookFacts, signal: AbortSignal, began: Began): Promise<Answer> {
  return hook.kind === 'command' ? runCommand(hook, facts, signal, began) : call(hook, facts, signal)
}

/** Exit 0 is yes, 1 (and taking too long) not yet, any other no: a command that cannot be started is a no. */
function runCommand(
  { command, timeoutMs }: Extract<Hook, { kind: 'command' }>,
  facts: HookFacts,
  signal: AbortSignal,
  began: Began,
): Promise<Answer> {
  return new Promise(resolve => {
    const [program = ''] = command
    // A group of its own: what it starts ends with it.
    const child = spawn('/bin/sh', ['-c', WAIT_FOR_WORD, 'hook', ...command], {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      env: environmentOf(facts),
    })
    const ended = child.pid === undefined ? undefined : began(child.pid)
    const word = child.stdio[3]
    if (word instanceof Writable) word.on('error', () => undefined).end('go\n')
    let output = ''
    let late = false
    const kill = (signalName: NodeJS.Signals): void => {
      if (child.pid === undefined) return
      try {
        process.kill(-child.pid, signalName)
      } catch {
        // It has ended meanwhile.
      }
    }
    let killer: NodeJS.Timeout | undefined
    const end = (): void => {
      kill('SIGTERM')
      killer = setTimeout(() => kill('SIGKILL'), KILL_MS)
    }
    const timer = setTimeout(() => {
      late = true
      end()
    }, timeoutMs)
    signal.addEventListener('abort', end)
    const finish = (answer: Answer): void => {
      clearTimeout(timer)
      clearTimeout(killer)
      signal.removeEventListener('abort', end)
      resolve(answer)
    }
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-MAX_OUTPUT)
      })
    }
    child.stdin.on('error', () => undefined)
    child.stdin.end(`${JSON.stringify(facts)}\n`)
    child.on('error', error => finish({ kind: 'no', detail: `${program}: ${error.message}` }))
    child.on('exit', (code, signalName) => {
      // What it left running may hold its output open; the group ends with it.
      kill('SIGKILL')
      ended?.()
      const how = late ? `took longer than ${timeoutMs} ms` : code === null ? `ended by ${signalName}` : `exit ${code}`
      const kind = code === 0 && !late ? 'yes' : late || code === 1 ? 'not-yet' : 'no'
      const tell = (): void => {
        clearTimeout(rest)
        const said = readable(output)
        finish({ kind, detail: said === '' ? how : `${how}: ${said}` })
      }
      // Its last words may still be in the pipe; what has left the group may hold that open for ever.
      const rest = setTimeout(tell, REST_MS)
      child.once('close', tell)
    })
  })
}

/** 2xx is yes, 403 is no, anything else (and no answer) not yet. */
async function call(
  { url, method, timeoutMs }: Extract<Hook, { kind: 'url' }>,
  facts: HookFacts,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    const response = await request(url, {
      method,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      ...(method === 'GET' ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(facts) }),
    })
    let said = ''
    for await (const chunk of response.body.setEncoding('utf8')) {
      said += String(chunk)
      // The connection goes with the rest of it.
      if (said.length > MAX_OUTPUT) break
    }
    const { statusCode } = response
    const words = readable(said).slice(0, MAX_OUTPUT)
    const detail = `${statusCode}${words === '' ? '' : `: ${words}`}`
    if (statusCode >= 200 && statusCode < 300) return { kind: 'yes', detail }
    return { kind: statusCode === 403 ? 'no' : 'not-yet', detail }
  } catch (thrown) {
    return { kind: 'not-yet', detail: errorMessage(thrown) }
  }
}

/** What a hook said, on one line: it ends up in errors, events and on terminals, which control characters would steer. */
function readable(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
}

function environmentOf(facts: HookFacts): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const name of PASSED_ON) {
    const value = process.env[name]
    if (value !== undefined) environment[name] = value
  }
  for (const [name, value] of Object.entries(facts)) {
    environment[`VIPSWAP_${name.replaceAll(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}`] =
      value === null ? '' : String(value)
  }
  return environment
}
