import type { Assignment } from '../contracts/assignment.ts'
import type { Command } from '../contracts/command.ts'
import type { Logger } from '../core/logger.ts'
import { own } from '../core/own.ts'
import { ensureSealKey, readSealKey, type SealKey } from '../core/seal-key.ts'
import { isSealed } from '../core/sealed-text.ts'
import { specOf } from '../fabric/instances.ts'
import { rolesOf } from '../fabric/lookup.ts'
import type { FabricState } from '../fabric/state.ts'
import type { Configuration, RoleConfiguration, RoleDefinition } from '../model/definition.ts'

/** Seals secrets where they come in and opens them for the agents that run what needs them; between the two nobody can. */
export interface Secrets {
  /** The command with every secret's value sealed: what is decided on, journaled and shown. */
  seal(state: FabricState, command: Command): Command
  /** The assignment as it goes over the link. What the key does not open is left out; the agent says so. */
  open(assignment: Assignment): Assignment
}

/** The key is made with the first secret. Throws `invalid_configuration` where the file is not fit to be one. */
export function createSecrets(keyFile: string, log: Logger): Secrets {
  let key: SealKey | null = readSealKey(keyFile)
  let warned = false
  return {
    seal: (state, command) => {
      if (!('configuration' in command) || command.configuration === undefined) return command
      const definitions = definitionsFor(state, command)
      if (!Object.values(definitions).some(({ secrets = [] }) => secrets.length > 0)) return command
      const current = (key ??= ensureSealKey(keyFile))
      return { ...command, configuration: sealed(command.configuration, definitions, current) }
    },
    open: assignment => {
      const secrets: Record<string, string> = {}
      for (const { spec } of assignment.instances) {
        for (const name of spec.secrets ?? []) {
          const text = own(spec.settings, name) ?? ''
          const value = key?.open(name, text) ?? null
          if (value !== null) secrets[text] = value
          else if (!warned && isSealed(text)) {
            warned = true
            log.error({ keyFile, setting: name }, 'a secret cannot be opened: the key file is another one, or gone')
          }
        }
      }
      return Object.keys(secrets).length === 0 ? assignment : { ...assignment, secrets }
    },
  }
}

/** The roles that a command's configuration is for: those of the package it brings, else those that run. */
function definitionsFor(state: FabricState, command: Command): Readonly<Record<string, RoleDefinition>> {
  if ('package' in command) return own(state.releases, command.package)?.definition.roles ?? {}
  if (!('slot' in command)) return {}
  const deployment = own(state.services, command.service)?.slots[command.slot] ?? ''
  return Object.fromEntries(
    rolesOf(state, deployment).map(role => [role.name, specOf(role, role.target).definition] as const),
  )
}

function sealed(
  { roles }: Configuration,
  definitions: Readonly<Record<string, RoleDefinition>>,
  key: SealKey,
): Configuration {
  return {
    roles: Object.fromEntries(
      Object.entries(roles).map(([name, role]) => [name, sealRole(role, own(definitions, name)?.secrets ?? [], key)]),
    ),
  }
}

function sealRole(role: RoleConfiguration, secrets: readonly string[], key: SealKey): RoleConfiguration {
  if (secrets.length === 0) return role
  const sealValue = (name: string, value: string): string => (secrets.includes(name) ? key.seal(name, value) : value)
  const { settings, slotSettings, ...rest } = role
  return {
    ...rest,
    ...(settings === undefined ? {} : { settings: mapValues(settings, (value, name) => sealValue(name, value)) }),
    ...(slotSettings === undefined
      ? {}
      : {
          slotSettings: mapValues(slotSettings, (slots, name) =>
            mapValues({ ...slots } as Record<string, string>, value => sealValue(name, value)),
          ),
        }),
  }
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T, name: string) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]))
}
