// Who we are: the name and version of this package.

import { readFileSync } from 'node:fs'

interface Package {
  version: string
}

// Read at once: after chroot there is no package.json any more.
const read = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as Package

/** The package's version, for example '0.1.0': package.json is its only place. */
export function version(): string {
  return read.version
}

/** What --version prints. @example versionLine() // 'gaidaros 0.1.0' */
export function versionLine(): string {
  return `gaidaros ${version()}`
}
