import type { Command } from 'commander'
import type { PackageAnswer } from '../../contracts/api/package.ts'
import { finish } from '../finish.ts'
import type { Session } from '../session.ts'
import { readConfigurationFile, openPackage } from '../written-files.ts'
import { act, type VerbContext } from '../verb.ts'

interface Flags {
  readonly replace?: boolean
  readonly label?: string
  readonly config?: string
}

export function deployVerb(program: Command, context: VerbContext): void {
  const command = program
    .command('deploy <package>')
    .description('create a deployment in an empty slot, from a directory, .tar.gz or .zip')
    .option('--replace', 'drain and delete what is in the slot first')
    .option('--label <text>', 'a name for people')
    .option('--config <file>', 'a service configuration (service.config.yaml)')
  act<Flags>(command, context, async (session, flags, [path = '']) => {
    const configuration = flags.config === undefined ? {} : { configuration: await readConfigurationFile(flags.config) }
    const { digest, name } = await upload(session, path)
    const accepted = await session.client.create(
      session.flags.service ?? name,
      session.slot,
      {
        package: digest,
        ...configuration,
        ...(flags.label === undefined ? {} : { label: flags.label }),
        ...(flags.replace === true ? { replace: true } : {}),
      },
      session.how,
    )
    await finish(session, accepted)
  })
}

/** Sends a package to the controller; its warnings go to standard error. */
export async function upload(session: Session, path: string): Promise<PackageAnswer> {
  const { body, kind, signature } = await openPackage(path)
  try {
    const answer = await session.client.uploadPackage(body, kind, signature)
    for (const warning of answer.warnings) session.note(`warning: ${warning}`)
    const by = answer.signedBy === undefined ? '' : `, signed by ${answer.signedBy.join(', ')}`
    session.note(`package ${answer.name} ${answer.version} (${answer.digest.slice(0, 12)})${by}`)
    return answer
  } finally {
    body.destroy()
  }
}
