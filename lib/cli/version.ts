// Who we are: the name and version of this package.

import { readFileSync } from 'node:fs'

interface Package {
  version: string
}

/** The package's version, for example '0.1.0'. Read once: package.json is its only place. */
export function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as Package).version
}

/** What --version prints. @example versionLine() // 'gaidaros 0.1.0' */
export function versionLine(): string {
  return `gaidaros ${version()}`
}
