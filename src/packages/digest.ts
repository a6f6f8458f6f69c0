import { manifestDigest, readManifest } from './manifest.ts'

/**
 * The name of a package: SHA-256 over the sorted list of its paths with type, executable bit, content digest and link
 * target, as 64 lower-case hexadecimal digits. Times, owners and the order or kind of an archive make no difference.
 * Throws `invalid_package` where the directory holds something a package cannot.
 */
export async function contentDigest(directory: string): Promise<string> {
  return manifestDigest(await readManifest(directory))
}
