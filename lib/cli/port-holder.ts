// Who holds a TCP port, as far as /proc tells this user: the socket's inode from the kernel's table
// of sockets, then the process that has it open. Asked once, when binding failed with EADDRINUSE.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** The process that has the port open. */
export interface PortHolder {
  pid: number
  /** Its name as ps shows it, for example 'nginx'. */
  name: string
}

const LISTEN = '0A'

interface Row {
  address: string
  inode: string
}

// /proc is read while processes come and go, and much of it belongs to others: what cannot be read
// is as good as absent.
function tryRead<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

function listening(file: string, port: number): Row[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  const rows = (tryRead(() => readFileSync(file, 'latin1')) ?? '').split('\n').slice(1)
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter((columns) => columns[3] === LISTEN && columns[1]?.endsWith(`:${wanted}`))
    .map((columns) => ({ address: columns[1]?.split(':')[0] ?? '', inode: columns[9] ?? '' }))
}

// The kernel prints addresses as 32-bit words in host order, here always little endian.
function hexOf(address: string): string {
  if (!address.includes(':')) {
    const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))
    return bytes.reverse().join('').toUpperCase()
  }
  const [head = '', tail] = address.split('::')
  const groups = (text: string) => text.split(':').filter((group) => group !== '')
  const left = groups(head)
  const right = groups(tail ?? '')
  const zeros = Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0')
  const hex = [...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join('')
  const words = hex.match(/.{8}/g) ?? []
  return words
    .map((word) => (word.match(/../g) ?? []).reverse().join(''))
    .join('')
    .toUpperCase()
}

/** The kernel cuts a name after 15 bytes; what a process calls itself in full is then the beginning of its arguments. */
function nameOf(pid: string): string | undefined {
  const name = tryRead(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
  const title = tryRead(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0])
  return name && title?.startsWith(name) ? title.trim() : name
}

function processWith(inode: string): PortHolder | undefined {
  const link = `socket:[${inode}]`
  const pids = (tryRead(() => readdirSync('/proc')) ?? []).filter((name) => /^\d+$/.test(name))
  for (const pid of pids) {
    const fds = tryRead(() => readdirSync(`/proc/${pid}/fd`)) ?? []
    if (fds.some((fd) => tryRead(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) === link)) {
      return { pid: Number(pid), name: nameOf(pid) || 'a process' }
    }
  }
  return undefined
}

/**
 * The process that listens on a TCP port.
 * @param address numeric address that could not be bound; a listener on exactly this address is
 *   preferred to one on all addresses
 * @param port 1 to 65535
 * @returns undefined where /proc does not tell: another user's process, another network namespace,
 *   no Linux, or gone by now
 * Source: proc(5), /proc/net/tcp.
 * @example
 * portHolder('127.0.0.1', 8080) // { pid: 123, name: 'nginx' }
 */
export function portHolder(address: string, port: number): PortHolder | undefined {
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => listening(file, port))
  const hex = hexOf(address)
  const exactFirst = rows.toSorted((a, b) => Number(b.address === hex) - Number(a.address === hex))
  for (const row of exactFirst) {
    const holder = processWith(row.inode)
    if (holder) return holder
  }
  return undefined
}
