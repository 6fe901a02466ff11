// Where a chained file may lie: beside the file that names it, in the system's directory or its conf.d, or in
// the effective user's home.

import { realpathSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { type Identity, ownHome } from './identity.js'

/** Homes of other people, root among them, whatever this process's own is. */
const HOMES = ['/home', '/root', '/Users']

const inside = (path: string, directory: string): boolean => path.startsWith(`${directory}${sep}`)

const real = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    return path // what does not exist cannot be reached by a link either
  }
}

/**
 * Why a file may not be chained from where it is, if so. Holds for the path as it was named, and again
 * for the path without links.
 */
export function locationProblem(
  path: string,
  naming: string,
  systemDirectory: string,
  who: Identity,
): string | undefined {
  const home = ownHome(who)
  const directories = [systemDirectory, join(systemDirectory, 'conf.d'), dirname(naming)]
  const beside = [...directories, ...directories.map(real)].includes(dirname(path))
  const atHome = home !== undefined && (inside(path, home) || inside(path, real(home)))
  if (beside || atHome) return undefined
  const places = [...new Set(directories), ...(home === undefined ? [] : [home])]
  return `a chained file must lie in ${places.join(', ')}`
}

/** True for a file in anybody's home directory. */
export function isInHome(path: string, who: Identity): boolean {
  const home = ownHome(who)
  const homes = home === undefined ? HOMES : [...HOMES, home, real(home)]
  return homes.some((directory) => inside(path, directory))
}
