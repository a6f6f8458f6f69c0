import { build, type Metafile } from 'esbuild'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

// Bundles the page into dist/src/portal/assets: hashed names, and the index.html that names them.

const here = dirname(fileURLToPath(import.meta.url))
/** The checkout: this file runs from dist/src/portal. */
const root = join(here, '..', '..', '..')
const source = join(root, 'src', 'portal', 'client')
const target = join(here, 'assets')

rmSync(target, { recursive: true, force: true })
mkdirSync(target, { recursive: true })
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: {
    app: join(source, 'main.tsx'),
    theme: join(source, 'first-paint.ts'),
    style: join(source, 'style.css'),
  },
  outdir: target,
  entryNames: '[name]-[hash]',
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['chrome111', 'firefox113', 'safari16.4'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
})

const page = readFileSync(join(source, 'index.html'), 'utf8')
  .replace('{{theme}}', nameOf(metafile, 'first-paint.ts'))
  .replace('{{app}}', nameOf(metafile, 'main.tsx'))
  .replace('{{style}}', nameOf(metafile, 'style.css'))
  .replace('{{icon}}', copyHashed('icon.svg'))
writeFileSync(join(target, 'index.html'), page)

function nameOf({ outputs }: Metafile, entry: string): string {
  const found = Object.entries(outputs).find(([, output]) => output.entryPoint?.endsWith(`/${entry}`) === true)
  if (found === undefined) throw new Error(`esbuild wrote nothing for ${entry}`)
  return relative(target, join(root, found[0]))
}

function copyHashed(file: string): string {
  const body = readFileSync(join(source, file))
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 8)
  const name = file.replace('.', `-${hash}.`)
  writeFileSync(join(target, name), body)
  return name
}
