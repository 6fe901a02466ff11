// Users and groups: by name or number, from the system's databases, or from its files where there is no addon.

import { readFileSync } from 'node:fs'
import { native } from '../native.js'

export interface Account {
  name: string
  /** Of a user. */
  uid: number
  gid: number
}

const key = (text: string): string | number => (/^\d+$/.test(text) ? Number(text) : text)

function fromFile(file: string, text: string): string[] | undefined {
  const rows = readFileSync(file, 'utf8')
    .split('\n')
    .map((row) => row.split(':'))
  return rows.find((columns) => columns[0] === text || columns[2] === text)
}

/** A user by name or number, undefined when there is none. @example findUser('nobody') // { name: 'nobody', uid: 65534, gid: 65534 } */
export function findUser(text: string): Account | undefined {
  if (native !== undefined) return native.findUser(key(text))
  const row = fromFile('/etc/passwd', text)
  return row && { name: row[0] ?? '', uid: Number(row[2]), gid: Number(row[3]) }
}

/** A group by name or number, undefined when there is none. */
export function findGroup(text: string): Account | undefined {
  if (native !== undefined) return native.findGroup(key(text))
  const row = fromFile('/etc/group', text)
  return row && { name: row[0] ?? '', uid: 0, gid: Number(row[2]) }
}

/** The number of a group. One that is given as a number needs no entry: containers run as such. */
export function groupNumber(text: string): number | undefined {
  return findGroup(text)?.gid ?? numberIn(text)
}

/** A number that a user or a group may have. */
export const numberIn = (text: string): number | undefined =>
  /^\d+$/.test(text) && Number(text) < 2 ** 32 - 1 ? Number(text) : undefined
