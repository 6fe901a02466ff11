// What /proc tells of a process. Read while processes come and go, and much of it belongs to others:
// what cannot be read is as good as absent.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

function tryRead<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** Clock ticks a second, as /proc counts them on every architecture that Node runs on (proc(5), USER_HZ). */
const TICKS = 100

export interface ProcessState {
  /** R, S, Z ... */
  state: string
  parent: number
  /** Ticks from the start of the machine to that of the process. */
  started: number
}

/**
 * The state of a process, undefined when there is none, or no /proc.
 * Source: proc(5), /proc/pid/stat. Its second field is a name that may contain anything, so the fields are
 * counted from behind its last parenthesis.
 */
export function processState(pid: number): ProcessState | undefined {
  const text = tryRead(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  if (text === undefined) return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', parent: Number(fields[1]), started: Number(fields[19]) }
}

/** Seconds since the process started. */
export function uptimeOf(pid: number): number | undefined {
  const state = processState(pid)
  const machine = tryRead(() => Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]))
  if (state === undefined || machine === undefined) return undefined
  return Math.max(0, Math.round(machine * TICKS) - state.started) / TICKS
}

/** True while the process runs; one that has ended and waits for its parent does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return processState(pid)?.state !== 'Z'
}

/** Numbers of all processes. */
export function processes(): number[] {
  const names = tryRead(() => readdirSync('/proc')) ?? []
  return names.filter((name) => /^\d+$/.test(name)).map(Number)
}

const LISTEN = '0A'

/** `7F000001` and its like: 32-bit words in the machine's order, here always little endian. */
function addressText(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse())
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => `${bytes[2 * i]}${bytes[2 * i + 1]}`)
  return new URL(`http://[${groups.join(':')}]`).hostname
}

function listeners(file: string): { inode: string; place: string }[] {
  const rows = (tryRead(() => readFileSync(file, 'latin1')) ?? '').split('\n').slice(1)
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter((columns) => columns[3] === LISTEN)
    .map((columns) => {
      const [hex = '', port = ''] = (columns[1] ?? '').split(':')
      return {
        inode: columns[9] ?? '',
        place: `${addressText(hex)}:${Number.parseInt(port, 16)}`,
      }
    })
}

/**
 * Where a process listens for TCP, as `address:port`; undefined where this user may not know.
 * @example
 * listeningOf(process.pid) // ['127.0.0.1:8080', '[::1]:8080']
 */
export function listeningOf(pid: number): string[] | undefined {
  const folder = `/proc/${pid}/fd`
  const names = tryRead(() => readdirSync(folder))
  if (names === undefined) return undefined
  const links = new Set(names.map((name) => tryRead(() => readlinkSync(`${folder}/${name}`))))
  const rows = ['tcp', 'tcp6'].flatMap((name) => listeners(`/proc/${pid}/net/${name}`))
  const places = rows.filter(({ inode }) => links.has(`socket:[${inode}]`))
  return [...new Set(places.map(({ place }) => place))]
}
