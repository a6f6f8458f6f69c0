import { VipswapError } from '../../core/errors.ts'
import type { Slot } from '../../model/slot.ts'
import { openPackage } from '../written-files.ts'
import type { UpContext } from './run-up.ts'

/** Deploys a package into a slot, unless the slot holds something: then that is resumed. Answers the service's name. */
export async function deployIfEmpty(
  { client, note, signal }: UpContext,
  path: string,
  slot: Slot,
  label?: string,
): Promise<string> {
  const { body, kind, signature } = await openPackage(path)
  const { name, version, digest, warnings } = await client.uploadPackage(body, kind, signature)
  for (const warning of warnings) note(`warning: ${warning}`)
  const there = (await client.services()).find(service => service.name === name)?.slots[slot]
  if (there !== null && there !== undefined) {
    note(`${slot} holds ${name} ${there.version} already; resumed`)
    if (there.package !== digest) note('it is another package: `vipswap deploy --replace`, or another --data')
    return name
  }
  note(`deploying ${name} ${version} to ${slot}`)
  const { operationId } = await client.create(name, slot, {
    package: digest,
    ...(label === undefined ? {} : { label }),
  })
  const operation = await client.follow(operationId, { signal })
  if (operation.status !== 'Succeeded') {
    const why = operation.error?.message ?? operation.progress.message
    throw new VipswapError('start_failed', `${name} ${version} did not come up in ${slot}: ${why}`)
  }
  return name
}
