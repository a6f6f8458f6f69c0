import { isSealed } from '../core/sealed-text.ts'
import type { RoleConfiguration, RoleDefinition } from '../model/definition.ts'
import type { Blocker } from './refusal.ts'
import type { RoleSpec } from './state.ts'

// The rules never see a secret's value: what they keep is sealed text, the same for the same value.

/** Values that were to be sealed before they came here and are not, or the other way round. Says no value. */
export function sealingBlockers(role: string, definition: RoleDefinition, configured: RoleConfiguration): Blocker[] {
  const values = Object.entries(configured.settings ?? {})
  for (const [name, slots] of Object.entries(configured.slotSettings ?? {}))
    for (const value of Object.values(slots)) values.push([name, value])
  return values.flatMap(([name, value]) => {
    const secret = isSecret(definition, name)
    if (secret === isSealed(value)) return []
    const which = secret ? 'is a secret there' : 'is no secret there'
    return [unsound(`role ${role}: setting ${name} ${which}; send the configuration again`)]
  })
}

/** Secrets that have no value, and settings that are secrets no more but have only a secret's value. */
export function secretBlockers({ definition, settings }: RoleSpec): Blocker[] {
  return Object.entries(settings).flatMap(([name, value]) => {
    const secret = isSecret(definition, name)
    if (secret === isSealed(value)) return []
    return [
      unsound(
        secret
          ? `role ${definition.name} needs a value for its secret ${name}; give it by a configuration (\`--config FILE\`)`
          : `role ${definition.name}: ${name} was a secret and is none now; give it a value by a configuration`,
      ),
    ]
  })
}

/** Is a secret among the settings that differ? It is never told by a file: a restart gives it. */
export function changesSecret(now: RoleSpec, next: RoleSpec): boolean {
  const names = new Set([...(now.definition.secrets ?? []), ...(next.definition.secrets ?? [])])
  return [...names].some(name => now.settings[name] !== next.settings[name])
}

function isSecret({ secrets = [] }: RoleDefinition, name: string): boolean {
  return secrets.includes(name)
}

function unsound(message: string): Blocker {
  return { code: 'invalid_configuration', message }
}
