import { Argument, type Command } from 'commander'
import { parseArgs } from 'node:util'
import { createClient } from '../../client/client.ts'
import { clientTls } from '../client-tls.ts'
import { askController, completions } from '../complete.ts'
import { EXIT } from '../exit-codes.ts'
import { DEFAULT_ADMIN } from '../session.ts'
import type { Terminal } from '../terminal.ts'
import { act, type VerbContext } from '../verb.ts'

/** The hidden verb by which the scripts ask; what follows are the words typed so far. */
const ASK = '__complete'

const SCRIPTS = {
  bash: `_vipswap() {
  local IFS=$'\\n'
  COMPREPLY=($(vipswap ${ASK} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]] && compopt -o nospace
  return 0
}
complete -o bashdefault -o default -F _vipswap vipswap`,
  // Sourced, or put into a folder of $fpath as _vipswap: there the file is the function's first call.
  zsh: `#compdef vipswap
_vipswap() {
  local -a found ending
  found=(\${(f)"$(vipswap ${ASK} -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  ending=(\${(M)found:#*=})
  found=(\${found:#*=})
  (( \${#found} )) && compadd -- "\${found[@]}"
  (( \${#ending} )) && compadd -S '' -- "\${ending[@]}"
  (( \${#found} + \${#ending} )) || _files
}
if [[ \${funcstack[1]} == _vipswap ]]; then
  _vipswap "$@"
else
  (( \${+functions[compdef]} )) || { autoload -Uz compinit && compinit; }
  compdef _vipswap vipswap
fi`,
  fish: `function __vipswap_complete
  set -l found (vipswap ${ASK} -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c vipswap -f -a '(__vipswap_complete)'`,
} as const

type Shell = keyof typeof SCRIPTS

/** `completion`: the script of a shell. */
export function completionVerb(program: Command, context: VerbContext): void {
  const shells = Object.keys(SCRIPTS)
  const command = program
    .command('completion')
    .description('completion of verbs, flags and live names: source <(vipswap completion bash)')
    .addArgument(new Argument('<shell>').choices(shells))
  act(command, context, async (session, _flags, [shell = 'bash']) => {
    const script = SCRIPTS[shell as Shell] // one of the choices
    session.result('completion', { shell, script }, script)
  })
}

/** Answers the scripts; null for any other verb. Nothing is ever said of what went wrong: somebody is typing. */
export async function runCompletion(
  argv: readonly string[],
  program: Command,
  terminal: Terminal,
): Promise<number | null> {
  if (argv[0] !== ASK) return null
  const words = argv.slice(argv[1] === '--' ? 2 : 1)
  const { admin, token, service, ...files } = flagsIn(words)
  const secret = token ?? terminal.env['VIPSWAP_TOKEN']
  const client = createClient({
    tls: clientTls(files, terminal),
    url: admin ?? terminal.env['VIPSWAP_ADMIN'] ?? DEFAULT_ADMIN,
    ...(secret === undefined ? {} : { token: secret }),
  })
  try {
    for (const word of await completions(program, words, askController(client, service))) terminal.out(word)
  } catch {
    // See above.
  } finally {
    await client.close()
  }
  return EXIT.done
}

/** Of the words before the one that is being typed. */
function flagsIn(
  words: readonly string[],
): Readonly<Record<'admin' | 'token' | 'service' | 'ca' | 'cert' | 'key', string | undefined>> {
  const flag = { type: 'string' } as const
  const options = { admin: flag, token: flag, service: flag, ca: flag, cert: flag, key: flag }
  const { values } = parseArgs({ args: words.slice(0, -1), options, strict: false, allowPositionals: true })
  // Without its value an option reads as true.
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
  const { admin, token, service, ca, cert, key } = values
  return {
    admin: text(admin),
    token: text(token),
    service: text(service),
    ca: text(ca),
    cert: text(cert),
    key: text(key),
  }
}
