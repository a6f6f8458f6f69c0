import { VipswapError } from '../../core/errors.ts'
import type { Slot } from '../../model/slot.ts'
import { visible } from '../print/visible.ts'
import { openPackage } from '../written-files.ts'
import type { UpContext } from './run-up.ts'

/** A package that `up` wrote itself, from its arguments. */
interface Generated {
  readonly label: string
}

const TAIL_BYTES = 4000
const TAIL_LINES = 8

/** Deploys a package into a slot, unless the slot holds something: then that is resumed. Answers the service's name. */
export async function deployIfEmpty(
  { client, note, signal }: UpContext,
  path: string,
  slot: Slot,
  generated?: Generated,
): Promise<string> {
  const { body, kind, signature } = await openPackage(path)
  const { name, version, digest, warnings } = await client.uploadPackage(body, kind, signature)
  // What is to be said of a file that nobody wrote helps nobody.
  if (generated === undefined) for (const warning of warnings) note(`warning: ${warning}`)
  const there = (await client.services()).find(service => service.name === name)?.slots[slot]
  if (there !== null && there !== undefined) {
    note(`${slot} holds ${name} ${there.version} already; resumed`)
    if (there.package !== digest) {
      const way =
        generated === undefined ? '`vipswap deploy --replace`' : `\`vipswap delete --slot ${slot}\` and \`up\` again`
      note(`it is not what you name now: ${way}, or another --data`)
    }
    return name
  }
  note(`deploying ${name} ${version} to ${slot}`)
  const { operationId } = await client.create(name, slot, {
    package: digest,
    ...(generated === undefined ? {} : { label: generated.label }),
  })
  const operation = await client.follow(operationId, { signal })
  if (operation.status !== 'Succeeded') {
    const why = operation.error?.message ?? operation.progress.message
    // The instances end with us, so now is the time to read what they wrote.
    const words = await lastWords(client, name, slot)
    throw new VipswapError('start_failed', `${name} ${version} did not come up in ${slot}: ${why}${words}`)
  }
  return name
}

/** The end of the log of the first instance that is not ready; '' where it wrote nothing. */
async function lastWords(client: UpContext['client'], service: string, slot: Slot): Promise<string> {
  try {
    const { instances } = await client.deployment(service, slot)
    const ill = instances.find(({ status }) => status !== 'ReadyRole')
    if (ill === undefined) return ''
    let text = ''
    for await (const piece of client.logs(service, slot, ill.id, { tail: TAIL_BYTES })) text += piece
    const lines = text.trimEnd().split('\n').slice(-TAIL_LINES)
    return text.trim() === ''
      ? ''
      : `\nthe log of ${ill.id} ends:\n${lines.map(line => `  ${visible(line)}`).join('\n')}`
  } catch {
    return ''
  }
}
