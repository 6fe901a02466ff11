// Socket activation, sd_listen_fds(3): listening sockets that the service manager has opened, from descriptor 3 on.

import { fstatSync } from 'node:fs'
import { GaidarosError } from '../errors.js'
import { native } from '../native.js'

type Environment = Record<string, string | undefined>

const FIRST = 3
const OWN = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']

/** What protocols want that are not of streams. */
const WANTED: Readonly<Record<string, string>> = {
  UDP: 'a UDP socket (ListenDatagram=)',
  unixdgram: 'a unix socket of datagrams (ListenDatagram=)',
  unixseqpacket: 'a listening unix socket of messages (ListenSequentialPacket=)',
}

/** A listening socket that was handed over. */
export interface Inherited {
  fd: number
  /** By LISTEN_FDNAMES; 'unknown' where that says nothing. */
  name: string
}

/**
 * Takes the sockets that the environment promises, and removes its promise: programs that this one starts get none.
 * @param protocol UDP and unixdgram want sockets of datagrams, and not listening ones; unixseqpacket those of messages
 * @returns nothing when the sockets are for another process, or there are none
 * @throws GaidarosError ERR_GAIDAROS_LISTEN when one is not of the kind that is served
 * @example
 * const sockets = takeActivation(process.env) // LISTEN_FDS=1: [{ fd: 3, name: 'unknown' }]
 */
export function takeActivation(environment: Environment, protocol = 'TCP'): Inherited[] {
  const [pid, count, names] = OWN.map((name) => environment[name])
  for (const name of OWN) delete environment[name]
  if (count === undefined || Number(pid) !== process.pid) return []
  if (!/^\d{1,4}$/.test(count)) throw refused(`LISTEN_FDS is ${count}; wanted a number of sockets`)
  const named = (names ?? '').split(':')
  const sockets = Array.from({ length: Number(count) }, (_, i) => ({
    fd: FIRST + i,
    name: named[i] || 'unknown',
  }))
  if (protocol === 'zmq' && sockets.length > 0)
    throw refused('LISTEN_FDS: libzmq takes no open sockets; wanted none, or another protocol')
  for (const socket of sockets) check(socket, protocol)
  return sockets
}

function check({ fd, name }: Inherited, protocol: string): void {
  const found = whatIs(fd, protocol)
  const wanted = WANTED[protocol] ?? 'a listening stream socket (ListenStream=)'
  if (found !== undefined)
    throw refused(`LISTEN_FDS: descriptor ${fd} (${name}) is ${found}; wanted ${wanted}`)
}

/** What is wrong with a descriptor. */
function whatIs(fd: number, protocol: string): string | undefined {
  try {
    if (!fstatSync(fd).isSocket()) return 'no socket'
    if (native === undefined) return undefined // node:net finds out the rest when it listens
    const { family, stream, datagrams, messages, listening } = native.describeSocket(fd)
    if (family === 'other') return 'a socket of a family that is not served'
    if (protocol === 'UDP' || protocol === 'unixdgram') {
      const isFit = datagrams && (family === 'unix') === (protocol === 'unixdgram')
      return isFit ? undefined : `no socket of ${protocol}`
    }
    if (protocol === 'unixseqpacket' && !messages) return 'no socket of messages'
    if (protocol !== 'unixseqpacket' && !stream) return 'no stream socket'
    return listening ? undefined : 'not listening (Accept=yes is not supported)'
  } catch {
    return 'not open'
  }
}

const refused = (message: string): GaidarosError =>
  new GaidarosError('ERR_GAIDAROS_LISTEN', message)
