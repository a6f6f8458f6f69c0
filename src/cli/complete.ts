import type { Argument, Command, Option } from 'commander'
import type { Client } from '../client/client.ts'
import { SLOTS } from '../model/slot.ts'

/** Names that only the controller knows. */
export type Live = 'services' | 'instances' | 'operations' | 'nodes' | 'roles'
export type AskLive = (what: Live) => Promise<readonly string[]>

/** What each argument's name stands for; others are files, which shells know by themselves. */
const ARGUMENTS: Readonly<Record<string, Live>> = {
  instance: 'instances',
  operation: 'operations',
  node: 'nodes',
  'role=count': 'roles',
}

/** What may stand in place of the last of `words` (those after `vipswap`); empty: nothing, or a file. */
export async function completions(
  program: Command,
  words: readonly string[],
  ask: AskLive,
): Promise<readonly string[]> {
  const last = words.at(-1) ?? ''
  const [flag = ''] = /^--[a-z-]+=/.exec(last) ?? []
  // `--slot=st` is `--slot st` in one word, and is answered as such.
  const typed = last.slice(flag.length)
  const before = words.slice(0, -1)
  const { command, argument, option } = placeOf(program, flag === '' ? before : [...before, flag.slice(0, -1)])
  // A verb may have a flag of its own that all have too.
  return [...new Set(await candidates())]
    .filter(word => word.startsWith(typed))
    .toSorted()
    .map(word => `${flag}${word}`)

  async function candidates(): Promise<readonly string[]> {
    if (option !== null) return valuesOf(option, ask)
    // A flag that takes no value, or none that is known.
    if (flag !== '') return []
    if (typed.startsWith('-')) return optionsOf(command)
    const verbs = argument === 0 ? command.commands.map(child => child.name()) : []
    const named = argumentAt(command, argument)
    return [...verbs, ...(named === null ? [] : await argumentValues(named, ask))]
  }
}

interface Place {
  command: Command
  /** How many arguments stand before. */
  argument: number
  /** The word before is an option that takes a value. */
  option: Option | null
}

function placeOf(program: Command, before: readonly string[]): Place {
  const place: Place = { command: program, argument: 0, option: null }
  for (const word of before) {
    // In bash `--slot=st` is three words.
    if (word === '=' && place.option !== null) continue
    if (place.option !== null) place.option = null
    else if (word.startsWith('-')) place.option = takesValue(place.command, word)
    else {
      const child = place.argument === 0 ? place.command.commands.find(each => each.name() === word) : undefined
      if (child === undefined) place.argument += 1
      else place.command = child
    }
  }
  return place
}

function takesValue(command: Command, word: string): Option | null {
  if (word.includes('=')) return null
  const option = allOptions(command).find(each => each.long === word || each.short === word)
  return option?.required === true ? option : null
}

function allOptions(command: Command): Option[] {
  return [...command.options, ...(command.parent === null ? [] : allOptions(command.parent))]
}

function optionsOf(command: Command): string[] {
  return [...allOptions(command).flatMap(({ long, hidden }) => (long == null || hidden ? [] : [long])), '--help']
}

async function valuesOf({ argChoices, long }: Option, ask: AskLive): Promise<readonly string[]> {
  if (argChoices !== undefined) return argChoices
  if (long === '--service') return ask('services')
  if (long === '--slot') return SLOTS
  if (long === '--instance') return ask('instances')
  if (long === '--role') return (await ask('roles')).map(role => role.replace(/=$/, ''))
  if (long === '--policy') return ['default', 'service-fabric']
  return []
}

function argumentAt({ registeredArguments }: Command, index: number): Argument | null {
  const last = registeredArguments.at(-1)
  return registeredArguments[index] ?? (last?.variadic === true ? last : null)
}

async function argumentValues(argument: Argument, ask: AskLive): Promise<readonly string[]> {
  if (argument.argChoices !== undefined) return argument.argChoices
  const live = ARGUMENTS[argument.name()]
  return live === undefined ? [] : ask(live)
}

/** Asks the controller; nobody waits for one that is not there. */
export function askController(client: Client, service: string | undefined): AskLive {
  return async what => {
    try {
      if (what === 'operations') return (await client.operations({ limit: 50 })).map(({ id }) => id)
      if (what === 'nodes') return (await client.nodes()).map(({ name }) => name)
      const services = (await client.services()).filter(({ name }) => service === undefined || name === service)
      if (what === 'services') return services.map(({ name }) => name)
      const deployments = services.flatMap(({ slots }) => [slots.production ?? [], slots.staging ?? []].flat())
      const names =
        what === 'instances'
          ? deployments.flatMap(({ instances }) => instances.map(({ id }) => id))
          : deployments.flatMap(({ roles }) => roles.map(({ name }) => `${name}=`))
      return [...new Set(names)]
    } catch {
      return []
    }
  }
}
