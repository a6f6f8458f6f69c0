import { parseArgs } from 'node:util'

export interface Options {
  readonly only: readonly string[]
  readonly peers: readonly string[]
  readonly rounds: number
  /** Of one round of one peer. */
  readonly seconds: number
  readonly quick: boolean
  /** Ten million requests where memory is looked at. */
  readonly long: boolean
  /** A missed target is a failure. */
  readonly strict: boolean
  readonly profile: boolean
}

/** What the command line says; null after a call for help. Throws on what it does not know. */
export function readOptions(
  args: readonly string[],
  workloads: readonly string[],
  peers: readonly string[],
): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      peers: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      long: { type: 'boolean', default: false },
      strict: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return null
  return {
    only: names(values.only, workloads, 'workload'),
    peers: names(values.peers, peers, 'peer'),
    rounds: count(values.rounds, values.quick ? 2 : 5),
    seconds: count(values.seconds, values.quick ? 1 : 3),
    quick: values.quick,
    long: values.long,
    strict: values.strict,
    profile: values.profile,
  }
}

export function helpText(workloads: readonly { name: string; title: string }[], peers: readonly string[]): string {
  const width = Math.max(...workloads.map(({ name }) => name.length))
  return `usage: npm run bench:proxy -- [options]

Measures vipswap beside other proxies: same instance, same load, one core for the proxy, rounds in turn.

  --only A,B      only these workloads (below)
  --peers A,B     only these: ${peers.join(', ')}
  --rounds N      rounds of each peer in each workload (5)
  --seconds N     length of a round (3)
  --quick         2 rounds of 1 s, and less of everything: for trying it out
  --long          ten million requests instead of two where memory is looked at
  --strict        exit 1 if a target is missed
  --profile       no measuring: where a worker's CPU time goes under the 55-byte workload, by function
  -h, --help      this

workloads
${workloads.map(({ name, title }) => `  ${name.padEnd(width)}  ${title}`).join('\n')}
`
}

function names(text: string | undefined, known: readonly string[], what: string): readonly string[] {
  if (text === undefined) return known
  const wanted = text.split(',')
  const strange = wanted.find(name => !known.includes(name))
  if (strange !== undefined) throw new Error(`no ${what} ${strange}; there are: ${known.join(', ')}`)
  return wanted
}

function count(text: string | undefined, usual: number): number {
  const value = text === undefined ? usual : Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`not a count: ${text}`)
  return value
}
