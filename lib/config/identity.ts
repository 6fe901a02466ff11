// Who runs the process, as far as configuration files care. From the system, never from $HOME.

import { userInfo } from 'node:os'

/** The process's owner. */
export interface Identity {
  /** Real and effective user; undefined where the platform has none: owners and modes are not checked there. */
  readonly uid: number | undefined
  readonly euid: number | undefined
  /** The effective user's home by the password database; undefined: none. */
  readonly home: string | undefined
  /** Started by sudo. */
  readonly sudo: boolean
}

/** Root owns what nobody else may change. */
export const ROOT = 0

/** The identity of this process. */
export function identity(environment: NodeJS.ProcessEnv = process.env): Identity {
  return {
    uid: process.getuid?.(),
    euid: process.geteuid?.(),
    home: homeDirectory(),
    sudo: environment['SUDO_UID'] !== undefined,
  }
}

/** os.userInfo() asks the password database for the effective user; os.homedir() would believe $HOME. */
function homeDirectory(): string | undefined {
  try {
    return userInfo().homedir
  } catch {
    return undefined // a uid without an entry has no home
  }
}

/** The home as far as files may be sourced from it: / would make the whole system one user's. */
export function ownHome({ home }: Identity): string | undefined {
  return home === undefined || !home.startsWith('/') || /^\/+$/.test(home) ? undefined : home
}

/** True when nothing may come from a home: the one who runs the process is not the one whose home it is. */
export const isBorrowed = ({ uid, euid, sudo }: Identity): boolean => uid !== euid || sudo
