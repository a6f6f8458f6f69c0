/** Who signed a package, where that is known; to be spread into a view. */
export function signersOf(release: { readonly signedBy?: readonly string[] | undefined } | undefined): {
  signedBy?: string[]
} {
  return release?.signedBy === undefined ? {} : { signedBy: [...release.signedBy] }
}
