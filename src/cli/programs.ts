import { fileURLToPath } from 'node:url'

/** Where the other processes' entry files are; `up` and the process verbs start them by path. */
export interface Programs {
  readonly controller: string
  readonly proxy: string
  readonly agent: string
}

/** Those built beside this file (`dist/src/cli/` → `dist/`), in its own language. */
export function builtPrograms(): Programs {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const at = (path: string): string => fileURLToPath(new URL(`../../${path}.${extension}`, import.meta.url))
  return { controller: at('src/admin/main'), proxy: at('proxy/main'), agent: at('agents/main') }
}
