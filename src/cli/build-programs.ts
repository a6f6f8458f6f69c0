import { build } from 'esbuild'
import { readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

// Writes each program as one file over what the compiler wrote: reading 900 files took most of a controller's start.
// Not the proxy: it reads few, and its stack traces are worth more.

const PROGRAMS = ['src/admin/main', 'src/cli/main', 'src/cli/demo', 'agents/main']

/** The checkout: this file runs from dist/src/cli. */
const root = fileURLToPath(new URL('../../../', import.meta.url))

for (const program of PROGRAMS) {
  const outfile = join(root, 'dist', `${program}.js`)
  await build({
    absWorkingDir: root,
    entryPoints: [`${program}.ts`],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    // A native addon, found beside its own files.
    external: ['classic-level'],
    // Packages in CommonJS ask for Node's modules by `require`.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    plugins: [
      {
        name: 'own-places',
        setup(builder) {
          builder.onLoad({ filter: /\.ts$/, namespace: 'file' }, readInPlace(outfile))
        },
      },
    ],
    logLevel: 'warning',
  })
}

/** Every module goes on finding files from where the compiler put it. */
function readInPlace(outfile: string) {
  return async ({ path }: { path: string }) => {
    const compiled = join(root, 'dist', relative(root, path)).replace(/\.ts$/, '.js')
    const place = `new URL('${relative(dirname(outfile), compiled)}', import.meta.url).href`
    const text = await readFile(path, 'utf8')
    return { loader: 'ts' as const, contents: text.replaceAll('import.meta.url', place) }
  }
}
