import type { Command } from 'commander'
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { EXAMPLES, verbsOf } from './examples.ts'
import { createProgram } from './program.ts'
import { processTerminal } from './terminal.ts'

/** docs/command-line.md: every verb and flag, from the program itself. */
export function commandLineText(): string {
  const program = createProgram({ terminal: processTerminal(), setExitCode() {}, userCommand: [] })
  const verbs = verbsOf(program).map(({ path, command }) => {
    const example = EXAMPLES[path]
    return [
      `### ${path}`,
      '',
      `\`vipswap ${path}${argumentsOf(command)}\`: ${escaped(command.description())}`,
      ...(command.options.length === 0 ? [] : ['', ...flagTable(command)]),
      ...(example === undefined ? [] : ['', `Example: \`${example}\``]),
      '',
    ].join('\n')
  })
  return `# The command line

Printed from the program itself: \`node dist/src/cli/publish-command-line.js docs/command-line.md\`; a test keeps the two equal. In a
checkout write \`npx vipswap\`. \`vipswap help VERB\` says the same. \`source <(vipswap completion bash)\` (or \`zsh\`; in
fish \`vipswap completion fish | source\`) completes verbs, flags and the names of what lives: services, instances, roles, nodes, operations.

## Everywhere

${flagTable(program).join('\n')}

Results go to standard output, progress, notes and errors to standard error. \`--json\` prints documents that name their \`schema\`, errors too.
A flag goes before its variable, that before a file's value. \`NO_COLOR\` and \`CI\` are heeded.

## Exit status

| status | meaning |
| --- | --- |
| 0 | done; of \`plan\`: nothing to do |
| 1 | failed, refused or rolled back; the line on standard error ends with the [code](errors.md) |
| 2 | the command line was wrong; of \`plan\`: there is something to do |
| 124 | \`--timeout\` passed; the operation goes on |
| 130 | Ctrl-C; the operation goes on, and how to watch it again is printed |

## Verbs

${verbs.join('\n')}`
}

function argumentsOf(command: Command): string {
  return command.registeredArguments
    .map(each => `${each.name()}${each.variadic ? '...' : ''}`)
    .map((name, index) =>
      command.registeredArguments[index]?.required === true ? ` ${name.toUpperCase()}` : ` [${name}]`,
    )
    .join('')
}

function flagTable(command: Command): string[] {
  return [
    '| flag | what |',
    '| --- | --- |',
    ...command.options.map(({ flags, description, argChoices, defaultValue }) => {
      // Commander leaves the type of defaults open; those here are texts and numbers.
      const fallback =
        typeof defaultValue === 'string' || typeof defaultValue === 'number' ? ` (default: ${defaultValue})` : ''
      const choices = argChoices === undefined ? '' : ` (${argChoices.join(', ')})`
      return `| \`${flags}\` | ${escaped(`${description}${choices}${fallback}`)} |`
    }),
  ]
}

/** As plain text of a table's cell. */
function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}

// `node dist/src/cli/publish-command-line.js docs/command-line.md` after a change of a verb.
const [, script, target] = process.argv
if (script !== undefined && target !== undefined && import.meta.url === pathToFileURL(script).href)
  writeFileSync(target, commandLineText())
