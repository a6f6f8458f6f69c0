const CARRIER = 'VIPSWAP_CARRIED_'

/**
 * Variables that the author of a package has named (`env`), under names that mean nothing: the keeper and setpriv run as the agent, and
 * their loader would obey an `LD_PRELOAD`. `names` are put back by `restoringWords`, as the role's own user.
 */
export function carried(
  env: Readonly<Record<string, string>>,
  names: readonly string[],
): Readonly<Record<string, string>> {
  const carriers = names.map((name, index) => [`${CARRIER}${index}`, env[name] ?? ''] as const)
  return {
    ...Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name))),
    ...Object.fromEntries(carriers),
  }
}

/** The words that run a command with its variables under their own names; each replaces itself by the next. */
export function restoringWords(names: readonly string[], words: readonly string[]): string[] {
  if (names.length === 0) return [...words]
  // `command`: a name that this shell keeps for itself is left out, and does not end it.
  const lines = names.map(
    (name, index) => `command export ${name}="$${CARRIER}${index}" 2>/dev/null; unset ${CARRIER}${index}`,
  )
  // What the shell adds to the environment by itself is not the command's.
  const script = ['unset PWD OLDPWD SHLVL', ...lines, 'exec "$@"'].join('\n')
  return ['/bin/sh', '-c', script, 'sh', ...words]
}
