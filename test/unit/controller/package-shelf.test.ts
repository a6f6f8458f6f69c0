import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { createPackageShelf } from '../../../src/controller/package-shelf.ts'
import { createPackageTrust } from '../../../src/controller/package-trust.ts'
import type { Input } from '../../../src/fabric/input.ts'
import { createPackageStore } from '../../../src/packages/package-store.ts'
import { SERVICE, rawTar } from '../../support/archives.ts'
import { tempDir } from '../../support/temp.ts'
import { Lab } from '../fabric/lab.ts'

const ARCHIVE = gzipSync(rawTar([{ path: 'service.yaml', content: SERVICE }]))

t.test('a package sent again while it is being collected is there afterwards, on disk and in the journal', async t => {
  const lab = new Lab([])
  const store = createPackageStore(tempDir(t))
  let onForgotten: (() => Promise<void>) | null = null
  let onRead = (): void => {}
  const shelf = createPackageShelf({
    reconciler: {
      get state() {
        return lab.state
      },
      settle: async (input: Input) => {
        const applied = lab.input(input)
        if (input.kind === 'releases-removed') await onForgotten?.()
        return applied
      },
    },
    packages: {
      ...store,
      addArchive: async (source, kind, options = {}) =>
        store.addArchive(source, kind, {
          ...options,
          keep: async write => {
            onRead()
            return options.keep === undefined ? write() : options.keep(write)
          },
        }),
    },
    trust: createPackageTrust({ required: false, keys: {} }),
    keep: 0,
  })
  const send = async () => shelf.add(Readable.from([ARCHIVE]), 'gzip')
  const { digest, created } = await send()
  t.equal(created, true)

  // Its release is forgotten, its files are still there: that is when it comes again.
  let again: ReturnType<typeof send> | undefined
  onForgotten = async () => {
    onForgotten = null
    await new Promise<void>(resolve => {
      onRead = resolve
      again = send()
    })
  }
  t.same(await shelf.collect(), { removed: [digest] })
  t.match(await again, { digest, created: true })
  t.match(lab.state.releases[digest], { digest })
  t.match(await store.get(digest), { digest })

  t.same(await shelf.collect(), { removed: [digest] })
  t.equal(lab.state.releases[digest], undefined)
  t.equal(await store.get(digest), null)
})

t.test('an upload that is refused is in nobody’s way', async t => {
  const lab = new Lab([])
  const shelf = createPackageShelf({
    reconciler: {
      get state() {
        return lab.state
      },
      settle: async (input: Input) => lab.input(input),
    },
    packages: createPackageStore(tempDir(t)),
    trust: createPackageTrust({ required: true, keys: {} }),
    keep: 0,
  })
  await t.rejects(shelf.add(Readable.from([ARCHIVE]), 'gzip'), { code: 'signature_required' })
  t.same(await shelf.collect(), { removed: [] })
})
