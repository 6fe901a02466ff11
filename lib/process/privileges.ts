// Giving up privileges: root directory, groups, user, and the way back to them. Called by the server once its
// sockets are bound, before any ring, thread or worker exists: those keep what their creator had.

import { statSync } from 'node:fs'
import { GaidarosError } from '../errors.js'
import { native } from '../native.js'
import { type Account, findUser, groupNumber, numberIn } from './accounts.js'

/** What of the settings decides who the process is. */
export interface PrivilegeSettings {
  readonly user: string
  readonly group: string
  readonly chroot: string
}

/** What the process is to become; made by checkPrivileges(). */
export interface Privileges {
  /** undefined: the user stays. */
  readonly user: Account | undefined
  /** undefined: the groups stay. */
  readonly gid: number | undefined
  /** '' : the root directory stays. */
  readonly chroot: string
}

const refused = (message: string): GaidarosError =>
  new GaidarosError('ERR_GAIDAROS_PROCESS', message)
const notPermitted = (message: string): GaidarosError =>
  new GaidarosError('ERR_GAIDAROS_PROCESS', message, { errnoCode: 'EPERM' })

/**
 * Looks up what the settings name and whether this process may become it. Nothing is changed.
 * @returns undefined when the process stays what it is
 * @throws GaidarosError ERR_GAIDAROS_PROCESS: no such user, group or directory, or not permitted
 * @example
 * checkPrivileges({ user: 'www-data', group: '', chroot: '' }) // { user: { name: 'www-data', uid: 33, gid: 33 }, gid: 33, chroot: '' }
 */
export function checkPrivileges(settings: PrivilegeSettings): Privileges | undefined {
  const user = settings.user === '' ? undefined : wantedUser(settings.user)
  const gid = settings.group === '' ? user?.gid : wantedGroup(settings.group)
  checkRoot(settings.chroot)
  const root = process.geteuid?.() === 0
  if (!root) {
    if (user !== undefined && user.uid !== process.geteuid?.())
      throw notPermitted(`user: ${settings.user}: only root can become another user`)
    if (settings.group !== '' && gid !== process.getegid?.())
      throw notPermitted(`group: ${settings.group}: only root can change its groups`)
    return undefined
  }
  if (gid === undefined && settings.chroot === '') return undefined
  return { user, gid, chroot: settings.chroot }
}

/**
 * The user that the server will be, who is to own what root makes for it; undefined where that is the present one.
 * @throws GaidarosError ERR_GAIDAROS_PROCESS as checkPrivileges() does
 */
export function futureOwner(settings: PrivilegeSettings): { uid: number; gid: number } | undefined {
  const privileges = process.geteuid?.() === 0 ? checkPrivileges(settings) : undefined
  if (privileges?.user === undefined) return undefined
  return { uid: privileges.user.uid, gid: privileges.gid ?? privileges.user.gid }
}

function wantedUser(text: string): Account {
  const found = findUser(text)
  if (found !== undefined) return found
  // A number needs no entry: containers run as such. Its group is then the one of the same number.
  const number = numberIn(text)
  if (number !== undefined) return { name: '', uid: number, gid: number }
  throw refused(`user: there is no user ${text}; wanted a name or a number that the system knows`)
}

function wantedGroup(text: string): number {
  const gid = groupNumber(text)
  if (gid !== undefined) return gid
  throw refused(`group: there is no group ${text}; wanted a name or a number that the system knows`)
}

function checkRoot(folder: string): void {
  if (folder === '') return
  if (native === undefined) throw refused('chroot: needs the native addon, which is not there')
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw refused(`chroot: ${folder} is no directory`)
  if (process.geteuid?.() !== 0)
    throw notPermitted(`chroot: ${folder}: only root can change its root`)
}

/**
 * Becomes what checkPrivileges() found, for all threads, and checks that there is no way back.
 * The order is the only one that works: groups while their database can be reached, the root directory while the
 * process is root, then the user, then no_new_privs (prctl(2)), which the kernel hands on to all threads and programs
 * started from here on. Threads that Node has started before (V8's helpers) start no programs.
 * @throws GaidarosError ERR_GAIDAROS_PROCESS; the process must not serve then
 */
export function dropPrivileges({ user, gid, chroot }: Privileges): void {
  try {
    if (gid !== undefined) {
      if (user !== undefined && user.name !== '') initGroups(user.name, gid)
      else process.setgroups?.([gid])
      process.setgid?.(gid)
    }
    if (chroot !== '') {
      native?.changeRoot(chroot)
      // Node remembers the directory of before until it changes it itself.
      process.chdir('/')
    }
    if (user !== undefined) process.setuid?.(user.uid)
    native?.noNewPrivileges()
  } catch (error) {
    throw new GaidarosError(
      'ERR_GAIDAROS_PROCESS',
      `privileges cannot be dropped: ${(error as Error).message}`,
      {},
      error,
    )
  }
  verify(user, gid)
}

/** Node has it, its types do not. */
function initGroups(user: string, gid: number): void {
  const { initgroups } = process as { initgroups?: (user: string, gid: number) => void }
  initgroups?.(user, gid)
}

function verify(user: Account | undefined, gid: number | undefined): void {
  const wrong =
    (user !== undefined && (process.getuid?.() !== user.uid || process.geteuid?.() !== user.uid)) ||
    (gid !== undefined && (process.getgid?.() !== gid || process.getegid?.() !== gid)) ||
    (user !== undefined && user.uid !== 0 && canReturn())
  if (wrong) throw refused('privileges cannot be dropped: the way back to root is still open')
}

function canReturn(): boolean {
  for (const back of [() => process.setuid?.(0), () => process.seteuid?.(0)]) {
    try {
      back()
      return true
    } catch {
      // EPERM is what is wanted.
    }
  }
  return false
}
