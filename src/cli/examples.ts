import type { Command } from 'commander'

/** One example for each verb, by its words; a test parses them all. */
export const EXAMPLES: Readonly<Record<string, string>> = {
  up: 'vipswap up examples/guestbook/1.0.0 --nodes 3',
  controller: 'vipswap controller --data /var/lib/vipswap --run /run/vipswap',
  proxy: 'vipswap proxy --data /var/lib/vipswap --run /run/vipswap --replace',
  agent: 'vipswap agent --data /var/lib/vipswap --run /run/vipswap --node node-0',
  deploy: 'vipswap deploy ./guestbook --slot staging --label friday',
  swap: 'vipswap swap --expect d1,d2',
  upgrade: 'vipswap upgrade ./guestbook --mode manual',
  'upgrade set': 'vipswap upgrade set --mode monitored --policy service-fabric',
  walk: 'vipswap walk --domain 1',
  rollback: 'vipswap rollback --mode auto',
  'config apply': 'vipswap config apply service.config.yaml --slot staging',
  scale: 'vipswap scale web=4 worker=2',
  suspend: 'vipswap suspend --slot staging',
  start: 'vipswap start --slot staging',
  delete: 'vipswap delete --slot staging',
  reboot: 'vipswap reboot web_IN_0',
  reimage: 'vipswap reimage web_IN_0 --slot staging',
  nodes: 'vipswap nodes --json',
  'node drain': 'vipswap node drain node-1',
  'node undrain': 'vipswap node undrain node-1',
  whoami: 'vipswap whoami',
  members: 'vipswap members',
  'member token': 'vipswap member token agent --name node-7 --ttl 15m',
  'member remove': 'vipswap member remove agent node-7',
  drain: 'vipswap drain web_IN_0',
  undrain: 'vipswap undrain web_IN_0',
  pause: 'vipswap pause --timeout 1m',
  resume: 'vipswap resume',
  recovery: 'vipswap recovery --accept',
  'plan swap': 'vipswap plan swap',
  'plan upgrade': 'vipswap plan upgrade ./guestbook',
  status: 'vipswap status -w',
  explain: 'vipswap explain web_IN_0',
  health: 'vipswap health --slot staging',
  'health report': 'vipswap health report checker baskets --state Error --description empty --ttl 5m',
  operations: 'vipswap operations op-12 -w',
  force: 'vipswap force op-12',
  receipt: 'vipswap receipt op-12 --json',
  events: 'vipswap events -f --service guestbook',
  logs: 'vipswap logs web_IN_0 -f --tail 4096',
  traffic: 'vipswap traffic --since before',
  validate: 'vipswap validate ./guestbook',
  keygen: 'vipswap keygen release.key',
  sign: 'vipswap sign ./guestbook --key release.key',
  gc: 'vipswap gc',
  completion: 'vipswap completion bash',
}

/** Puts its example below the help of every verb. */
export function addExamples(program: Command): void {
  for (const { path, command } of verbsOf(program)) {
    const example = EXAMPLES[path]
    if (example !== undefined) command.addHelpText('after', `\nExample:\n  ${example}`)
  }
}

/** Every verb that does something by itself, with its words. */
export function verbsOf(command: Command, words: readonly string[] = []): { path: string; command: Command }[] {
  return command.commands.flatMap(child => {
    const path = [...words, child.name()]
    // A word that only groups others has no arguments and no example of its own.
    const isGroup = child.commands.length > 0 && EXAMPLES[path.join(' ')] === undefined
    return [...(isGroup ? [] : [{ path: path.join(' '), command: child }]), ...verbsOf(child, path)]
  })
}
