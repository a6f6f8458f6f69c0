import { Readable } from 'node:stream'
import { Client } from 'undici'
import { formatAddress } from '../src/core/address.ts'
import { VipswapError, errorMessage } from '../src/core/errors.ts'
import { secureOptions, type ControllerRoad } from '../src/core/member/controller-road.ts'
import { NO_LIMITS } from '../src/packages/limits.ts'
import type { SignedPackage } from '../src/packages/trust.ts'
import { unpackTar } from '../src/packages/unpack-tar.ts'

/** Where packages come from. `fetch` fills an existing empty directory with the package's files, unverified. */
export interface PackageSource {
  fetch(digest: string, intoDirectory: string): Promise<void>
  /** What is known of its signatures, unverified. */
  signatures(digest: string): Promise<SignedPackage>
}

/** The controller: `GET /packages/<digest>` answers a tar. */
export class ControllerPackageSource implements PackageSource {
  readonly #road: ControllerRoad

  constructor(road: ControllerRoad) {
    this.#road = road
  }

  /**
   * Throws `unreachable` where the controller does not answer, or not to the end (try again), `package_not_found` where
   * it has none, `invalid_package` for an archive that is damaged or leaves its folder.
   */
  async fetch(digest: string, intoDirectory: string): Promise<void> {
    await this.#read(digest, '', async (body, name) => {
      // What was bounded when the controller took it in is not bounded again: its limits may be wider than the default.
      await unpackTar(Readable.from(pieces(body, name)), intoDirectory, NO_LIMITS)
    })
  }

  /** Throws `unreachable`, `package_not_found`. */
  async signatures(digest: string): Promise<SignedPackage> {
    return this.#read(digest, '/signatures', async (body, name) => {
      const text = Buffer.concat(await buffersOf(pieces(body, name))).toString()
      return JSON.parse(text) as SignedPackage // of our own controller, and judged by keys, not believed
    })
  }

  async #read<T>(digest: string, what: string, use: (body: Readable, name: string) => Promise<T>): Promise<T> {
    const client = clientOn(this.#road)
    const name = digest.slice(0, 12)
    try {
      const { statusCode, body } = await client
        .request({ method: 'GET', path: `/packages/${digest}${what}` })
        .catch((error: unknown) => {
          throw unreachable(name, error)
        })
      // It may fail when nobody reads it any more.
      body.on('error', () => {})
      if (statusCode !== 200) {
        body.destroy()
        const code = statusCode === 404 ? 'package_not_found' : 'unreachable'
        throw new VipswapError(code, `the controller answered ${statusCode} for package ${name}`)
      }
      return await use(body, name)
    } finally {
      client.destroy().catch(() => {})
    }
  }
}

async function buffersOf(source: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return chunks
}

function clientOn(road: ControllerRoad): Client {
  if (road.kind === 'socket') return new Client('http://controller', { socketPath: road.path })
  return new Client(`https://${formatAddress(road.address)}`, { connect: secureOptions(road.credentials()) })
}

/** An answer that is cut off says nothing about the package, unlike an archive that is. */
async function* pieces(body: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    throw unreachable(name, error)
  }
}

function unreachable(name: string, error: unknown): VipswapError {
  return new VipswapError('unreachable', `cannot get package ${name} from the controller: ${errorMessage(error)}`)
}
